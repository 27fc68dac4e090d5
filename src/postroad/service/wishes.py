"""What is asked of a message beside its envelope and bytes: when, how long, which stream, only once."""

from msgspec import Struct

from postroad.model import Change, Label
from postroad.service.once import Once


class Wishes(Struct, frozen=True):
    """Times are seconds since 1970, 0 where nothing is asked. `stream` None: as the server chooses.
    `also` is committed with the message.
    """

    label: Label | None = None
    release_at: float = 0.0
    expires_at: float = 0.0
    stream: str | None = None
    once: Once | None = None
    also: tuple[Change, ...] = ()


NO_WISHES = Wishes()
