"""Octets received, taken out by the line, and never more of them held than a line may have."""

import re
from collections.abc import Mapping
from typing import TypeVar

MAX_DISCARD_OCTETS = 64 * 1024
"""So much of a line that is too long is thrown away while its end is awaited."""

T = TypeVar("T")

# A whole line: keyword, and what follows one space. No step is ever taken back (possessive `++`).
_COMMAND = re.compile(rb"([A-Z0-9]++)(?: ([^\x00-\x1f\x7f]*+))?\r\n").match


class LineTooLong(Exception):
    """A line is longer than the limit; what follows up to its end is thrown away."""


class LineEndless(Exception):
    """So much was thrown away that the client is not worth more."""


class LineReader:
    """What was received and not yet consumed.

    It is kept as it was received and not moved as lines are taken, and let go of when all are; what
    comes while there is a rest is gathered behind it, and joined to it when that is needed.
    """

    __slots__ = ("_at", "_behind", "_data", "_discarded")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._behind = bytearray()
        self._discarded: int | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return not self._data

    def __len__(self) -> int:
        return len(self._data) - self._at + len(self._behind)

    def append(self, data: bytes) -> None:
        """Add what was received."""
        if self._data:
            self._behind += data
        else:
            self._data = data

    def starts_with(self, word: bytes) -> bool:
        """Whether the next octets are `word` (in upper case), in any case."""
        self._join()
        return self._data[self._at : self._at + len(word)].upper() == word

    def take_command(self, words: Mapping[bytes, T], limit: int) -> tuple[T, bytes] | None:
        """Take the next line if it is complete, has no control characters, and begins with one of
        `words`; return what that word stands for, and what follows it behind a space.

        None leaves everything to `take`.
        """
        if self._behind:
            self._join()
        data = self._data
        found = _COMMAND(data, self._at)
        if found is None or self._discarded is not None:
            return None
        keyword, argument = found.groups(b"")
        meaning = words.get(keyword)
        end = found.end()
        if meaning is None or end - self._at > limit:
            return None
        if end < len(data):
            self._at = end
        else:
            self._data = b""
            self._at = 0
        return meaning, argument

    def take(self, limit: int) -> bytes | None:
        """Return the next line with its LF (and CR), None where none is complete.

        Raises `LineTooLong` once for each line of more than `limit` octets, as soon as that is known,
        and `LineEndless`.
        """
        self._join()
        if self._discarded is not None and not self._discard():
            return None
        data, at = self._data, self._at
        end = data.find(b"\n", at) + 1
        if (end or len(data)) - at > limit:
            self._discarded = 0
            raise LineTooLong
        if not end:
            return None
        self._consume(end)
        return data[at:end]

    def clear(self) -> None:
        """Forget everything."""
        self._data = b""
        self._at = 0
        self._behind.clear()
        self._discarded = None

    def _consume(self, end: int) -> None:
        if end < len(self._data):
            self._at = end
        else:
            self._data = b""
            self._at = 0

    def _join(self) -> None:
        if self._behind:
            self._data = self._data[self._at :] + self._behind
            self._at = 0
            self._behind.clear()

    def _discard(self) -> bool:
        """Throw away up to the end of the line; return whether that has come."""
        assert self._discarded is not None
        end = self._data.find(b"\n", self._at) + 1
        self._discarded += (end or len(self._data)) - self._at
        if self._discarded > MAX_DISCARD_OCTETS:
            self.clear()
            raise LineEndless
        self._consume(end or len(self._data))
        if not end:
            return False
        self._discarded = None
        return True
