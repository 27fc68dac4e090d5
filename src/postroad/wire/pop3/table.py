"""The messages of a session: numbers, sizes, unique-ids and deletion marks, in columns.

A hundred thousand messages cost two arrays and a bytearray. Long answers come in pieces, made when
they are asked for.
"""

from array import array
from collections.abc import Iterator, Sequence

from postroad.ports import Listing

PIECE_MESSAGES = 2000
"""Lines in a piece: with 32 octets for a line of UIDL, below 64 KiB."""

_DELETED = 1


class MessageTable:
    """Messages by index (from 0; clients count from 1). Marks last until the session ends.

    `count` and `octets` are those of the messages without a mark.
    """

    __slots__ = ("_marks", "_sizes", "_total", "_uid_validity", "_uids", "count", "octets")

    def __init__(self, listing: Listing) -> None:
        self._uid_validity = listing.mailbox.uid_validity
        self._uids = _column(listing.uids)
        self._sizes = _column(listing.sizes)
        self._marks = bytearray(len(self._uids))
        self._total = sum(self._sizes)
        self.count = len(self._uids)
        self.octets = self._total

    def __len__(self) -> int:
        return len(self._uids)

    def has(self, index: int) -> bool:
        """Whether there is such a message, not marked as deleted."""
        return 0 <= index < len(self._marks) and not self._marks[index]

    def size(self, index: int) -> int:
        """Return a message's size in octets."""
        return self._sizes[index]

    def unique_id(self, index: int) -> str:
        """Return a message's unique-id (RFC 1939 §7, UIDL): at most 40 characters, never reused."""
        return f"{self._uid_validity}.{self._uids[index]}"

    def delete(self, index: int) -> None:
        """Mark a message that `has` tells of."""
        self._marks[index] = _DELETED
        self.count -= 1
        self.octets -= self._sizes[index]

    def reset(self) -> None:
        """Take all marks away."""
        self._marks = bytearray(len(self._uids))
        self.count = len(self._uids)
        self.octets = self._total

    def deleted(self) -> Sequence[int]:
        """Return the indexes of the marked messages, ascending."""
        if self.count == len(self._marks):
            return ()
        return array("q", (index for index, mark in enumerate(self._marks) if mark))

    def scan_lines(self) -> Iterator[bytes]:
        """Yield the lines of LIST in pieces, and the final dot."""
        for start in range(0, len(self._uids), PIECE_MESSAGES):
            end = start + PIECE_MESSAGES
            yield "".join(
                [
                    f"{number} {size}\r\n"
                    for number, size, mark in zip(
                        range(start + 1, end + 1),
                        self._sizes[start:end],
                        self._marks[start:end],
                        strict=False,
                    )
                    if not mark
                ]
            ).encode()
        yield b".\r\n"

    def unique_id_lines(self) -> Iterator[bytes]:
        """Yield the lines of UIDL in pieces, and the final dot."""
        prefix = f"{self._uid_validity}."
        for start in range(0, len(self._uids), PIECE_MESSAGES):
            end = start + PIECE_MESSAGES
            yield "".join(
                [
                    f"{number} {prefix}{uid}\r\n"
                    for number, uid, mark in zip(
                        range(start + 1, end + 1),
                        self._uids[start:end],
                        self._marks[start:end],
                        strict=False,
                    )
                    if not mark
                ]
            ).encode()
        yield b".\r\n"


def _column(values: Sequence[int]) -> "array[int]":
    return values if isinstance(values, array) else array("q", values)
