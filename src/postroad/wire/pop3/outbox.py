"""Octets that wait to be sent, and long answers that are made piece by piece as they are sent."""

from collections.abc import Iterator

SEND_OCTETS = 64 * 1024
"""About as much as is taken at once."""


class Outbox:
    """What is to be sent, in order. `octets` of it are made already."""

    __slots__ = ("_chunks", "_piece", "_pieces", "octets")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._pieces: Iterator[bytes] = iter(())
        self._piece: bytes | None = None  # one is made ahead, so that the last is known as the last
        self.octets = 0

    @property
    def full(self) -> bool:
        """Whether this is to be sent before more is made."""
        return self.octets > SEND_OCTETS or self._piece is not None

    def put(self, data: bytes) -> None:
        """Add to the end; not while a long answer is being sent."""
        self._chunks.append(data)
        self.octets += len(data)

    def put_long(self, pieces: Iterator[bytes]) -> None:
        """Add an answer that is made while it is sent."""
        self._pieces = pieces
        self._piece = next(pieces, None)

    def take(self) -> bytes:
        """Return about 64 KiB at most; ``b""`` where nothing is left."""
        if self._piece is not None and self.octets <= SEND_OCTETS:
            self.put(self._piece)
            self._piece = next(self._pieces, None)
        chunks = self._chunks
        if self.octets > SEND_OCTETS:
            return self._take_some()
        if not chunks:
            return b""
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.octets = 0
        return data

    def cut(self) -> None:
        """Drop what is not made yet of a long answer."""
        self._pieces = iter(())
        self._piece = None

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self.octets = 0
        self.cut()

    def _take_some(self) -> bytes:
        taken, octets = 0, 0
        while octets < SEND_OCTETS and taken < len(self._chunks):
            octets += len(self._chunks[taken])
            taken += 1
        data = b"".join(self._chunks[:taken])
        del self._chunks[:taken]
        self.octets -= octets
        return data
