"""Octets received, taken out by the line, and never more of them held than a line may have."""

MAX_DISCARD_OCTETS = 64 * 1024
"""So much of a line that is too long is thrown away while its end is awaited."""


class LineTooLong(Exception):
    """A line is longer than the limit; what follows up to its end is thrown away."""


class LineEndless(Exception):
    """So much was thrown away that the client is not worth more."""


class LineReader:
    """What was received and not yet consumed."""

    __slots__ = ("_data", "_discarded")

    def __init__(self) -> None:
        self._data = bytearray()
        self._discarded: int | None = None

    def __len__(self) -> int:
        return len(self._data)

    def append(self, data: bytes) -> None:
        """Add what was received."""
        self._data += data

    def starts_with(self, word: bytes) -> bool:
        """Whether the next octets are `word` (in upper case), in any case."""
        return self._data[: len(word)].upper() == word

    def take(self, limit: int) -> bytes | None:
        """Return the next line with its LF (and CR), None where none is complete.

        Raises `LineTooLong` once for each line of more than `limit` octets, as soon as that is known,
        and `LineEndless`.
        """
        data = self._data
        if self._discarded is not None and not self._discard():
            return None
        end = data.find(b"\n") + 1
        if (end or len(data)) > limit:
            self._discarded = 0
            raise LineTooLong
        if not end:
            return None
        line = bytes(data[:end])
        del data[:end]
        return line

    def clear(self) -> None:
        """Forget everything."""
        self._data.clear()
        self._discarded = None

    def _discard(self) -> bool:
        """Throw away up to the end of the line; return whether that has come."""
        assert self._discarded is not None
        end = self._data.find(b"\n") + 1
        self._discarded += end or len(self._data)
        if self._discarded > MAX_DISCARD_OCTETS:
            self.clear()
            raise LineEndless
        if not end:
            self._data.clear()
            return False
        del self._data[:end]
        self._discarded = None
        return True
