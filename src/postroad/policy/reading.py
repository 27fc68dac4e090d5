"""Checks that read the body of a message while it arrives, so that nobody reads it twice.

A check says ``reads=`` with a function that makes a reader once the header is known, or None where the
body does not matter. The reader is fed whatever the body consists of, and the check finds it by
`MessageReceived.reading` when it is asked. Where a reader raises, its check defers.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, TypeVar

import structlog
from msgspec import Struct

from postroad.message.header import Header
from postroad.model import Envelope, Origin

log = structlog.get_logger("postroad.policy")


class BodyReader(Protocol):
    """Takes the body of one message."""

    def write(self, chunk: bytes) -> object:
        """Take the next octets of the body: what is behind the blank line, in pieces of any size."""
        ...


class MessageBegun(Struct, frozen=True):
    """The header of a message is here. `head` and `added` are as in `MessageReceived`."""

    origin: Origin
    envelope: Envelope
    head: bytes
    added: bytes = b""

    @property
    def header(self) -> Header:
        """The parsed header; each call parses."""
        return Header.parse(self.head)


Reads: TypeAlias = Callable[[MessageBegun], BodyReader | None]

R = TypeVar("R", bound=BodyReader)


class Readings:
    """The readers of one message, by the checks they belong to. `failed` names checks whose reader
    raised.
    """

    __slots__ = ("_readers", "failed")

    def __init__(self, checks: Sequence[tuple[str, Reads]], begun: MessageBegun | None) -> None:
        self._readers: dict[str, BodyReader] = {}
        self.failed: set[str] = set()
        for name, reads in checks:
            assert begun is not None
            try:
                reader = reads(begun)
            except (Exception, SystemExit):  # whatever an operator's code does, the server goes on
                self._fail(name)
                continue
            if reader is not None:
                self._readers[name] = reader

    def __bool__(self) -> bool:
        return bool(self._readers)

    def write(self, chunk: bytes) -> None:
        """Feed all readers."""
        for name, reader in list(self._readers.items()):
            try:
                reader.write(chunk)
            except (Exception, SystemExit):
                self._fail(name)
                del self._readers[name]

    def of(self, kind: type[R]) -> R | None:
        """Return the reader of that type."""
        for reader in self._readers.values():
            if isinstance(reader, kind):
                return reader
        return None

    def _fail(self, name: str) -> None:
        log.exception("a check could not read the message; it will be deferred", check=name)
        self.failed.add(name)


NO_READINGS = Readings((), None)
