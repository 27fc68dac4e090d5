"""Octets that wait to be sent, and long answers that are made piece by piece as they are sent."""

from collections.abc import Iterable, Iterator

SEND_OCTETS = 64 * 1024
"""So much is sent before more is made; what is sent at once is larger by one answer, or a piece of one,
at most.
"""


class Outbox:
    """What is to be sent, in order. `octets` of it are made already.

    `full` says that this is to be sent before more is made.
    """

    __slots__ = ("_chunks", "_piece", "_pieces", "full", "octets")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._pieces: Iterator[bytes] = iter(())
        self._piece: bytes | None = None  # one is made ahead, so that the last is known as the last
        self.octets = 0
        self.full = False

    def put(self, data: bytes) -> None:
        """Add to the end; not while a long answer is being sent."""
        self._chunks.append(data)
        self.octets += len(data)
        if self.octets > SEND_OCTETS:
            self.full = True

    def put_parts(self, parts: Iterable[bytes], octets: int) -> None:
        """Add what comes in parts and has so many octets together."""
        self._chunks += parts
        self.octets += octets
        if self.octets > SEND_OCTETS:
            self.full = True

    def put_long(self, pieces: Iterator[bytes]) -> None:
        """Add an answer that is made while it is sent."""
        self._pieces = pieces
        self._piece = next(pieces, None)
        self.full = self._piece is not None or self.octets > SEND_OCTETS

    def take(self) -> bytes:
        """Return what is made, and a piece of a long answer; ``b""`` where nothing is left."""
        if self._piece is not None and self.octets <= SEND_OCTETS:
            self._chunks.append(self._piece)
            self._piece = next(self._pieces, None)
        data = b"".join(self._chunks)
        self._chunks.clear()
        self.octets = 0
        self.full = self._piece is not None
        return data

    def cut(self) -> None:
        """Drop what is not made yet of a long answer."""
        self._pieces = iter(())
        self._piece = None
        self.full = self.octets > SEND_OCTETS

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self.octets = 0
        self.cut()
