"""How a name is proved: what is published while the authority looks."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from msgspec import Struct


class Challenge(Struct, frozen=True):
    """One name to prove. `domain` is without ``*.``.

    HTTP-01 (RFC 8555 §8.3) serves `text` under `token`; for DNS-01 (RFC 8555 §8.4) the TXT record
    `name` holds `text`.
    """

    domain: str
    text: str
    token: str = ""
    name: str = ""


class Proof(Protocol):
    """Publishes challenges and takes them back. Blocks; raises `IssueFailed`."""

    kind: ClassVar[str]
    """The type of its challenges: ``http-01`` or ``dns-01``."""

    def publish(self, challenges: Sequence[Challenge]) -> None:
        """Publish them all, and return when the authority can see them."""
        ...

    def withdraw(self, challenges: Sequence[Challenge]) -> None:
        """Take back what may have been published of them."""
        ...
