"""The moments at which checks are asked, each with what is known by then."""

from typing import TypeAlias

from msgspec import Struct

from postroad.message.header import Header
from postroad.model import Address, Envelope, Origin


class Connected(Struct, frozen=True):
    """A client connected; nothing was said yet."""

    origin: Origin


class MailFrom(Struct, frozen=True):
    """MAIL was said: the envelope has its sender and no recipients."""

    origin: Origin
    envelope: Envelope


class RcptTo(Struct, frozen=True):
    """RCPT was said, for a recipient that we would take."""

    origin: Origin
    envelope: Envelope
    recipient: Address


class MessageReceived(Struct, frozen=True):
    """The whole message is here and not yet acknowledged.

    `head` is its header section as received, without what we add; `size` is in octets.
    """

    id: int
    origin: Origin
    envelope: Envelope
    head: bytes
    size: int

    @property
    def header(self) -> Header:
        """The parsed header; each call parses."""
        return Header.parse(self.head)


Stage: TypeAlias = Connected | MailFrom | RcptTo | MessageReceived
