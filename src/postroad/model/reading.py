"""What recipients do with a message of ours, as far as they let us know: values of the journey.

`at` is seconds since 1970 in each. Nothing is noted where the message is no longer known.
"""

from msgspec import Struct


class Opened(Struct, frozen=True, tag="opened", omit_defaults=True):
    """The picture in a message was fetched, which happens when it is shown. `machine` names what fetched
    it where that is known to do so unasked, ``""`` where it may have been a person.
    """

    at: float
    message: int
    ordinal: int
    machine: str = ""


class Clicked(Struct, frozen=True, tag="clicked", omit_defaults=True):
    """A link of a message was followed, to `url`. `machine` is as in `Opened`: scanners follow links."""

    at: float
    message: int
    ordinal: int
    url: str
    machine: str = ""


class Unsubscribed(Struct, frozen=True, tag="unsubscribed"):
    """A recipient wants nothing of a stream any more. `how` is ``"one-click"``, ``"page"`` or
    ``"mail"``. The `Suppressed` that follows from it is a change of its own.
    """

    at: float
    message: int
    ordinal: int
    stream: str
    how: str
