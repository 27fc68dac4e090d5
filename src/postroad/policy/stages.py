"""The moments at which checks are asked, each with what is known by then."""

from typing import TypeAlias, TypeVar

from msgspec import Struct

from postroad.message.header import Header
from postroad.model import Address, Envelope, Origin
from postroad.policy.reading import NO_READINGS, BodyReader, Readings

T = TypeVar("T")
R = TypeVar("R", bound=BodyReader)


class _Moment(Struct, frozen=True, kw_only=True):
    """`facts` are what checks before this one found out, of the same connection or transaction."""

    facts: tuple[object, ...] = ()

    def fact(self, kind: type[T]) -> T | None:
        """Return the newest fact of that type, None where no check has said one."""
        for each in reversed(self.facts):
            if isinstance(each, kind):
                return each
        return None


class Connected(_Moment, frozen=True):
    """A client connected; nothing was said yet."""

    origin: Origin


class MailFrom(_Moment, frozen=True):
    """MAIL was said: the envelope has its sender and no recipients."""

    origin: Origin
    envelope: Envelope


class RcptTo(_Moment, frozen=True):
    """RCPT was said, for a recipient that we would take."""

    origin: Origin
    envelope: Envelope
    recipient: Address


class MessageReceived(_Moment, frozen=True):
    """The whole message is here and not yet acknowledged.

    `head` is its header section as received; `added` are the fields (Date, Message-ID) that we put on
    top of it because they were missing; `size` is in octets, without these.
    """

    id: int
    origin: Origin
    envelope: Envelope
    head: bytes
    size: int
    added: bytes = b""
    readings: Readings = NO_READINGS

    @property
    def header(self) -> Header:
        """The parsed header; each call parses."""
        return Header.parse(self.head)

    def reading(self, kind: type[R]) -> R | None:
        """Return what a check's reader (of that type) made of the body, None where it read nothing."""
        return self.readings.of(kind)


Stage: TypeAlias = Connected | MailFrom | RcptTo | MessageReceived
