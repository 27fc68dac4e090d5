"""A message's body on its way in: read, measured, and refused where RFC 5321 forbids what it holds.

What is refused: a bare CR or LF (RFC 5321 §2.3.8), in which other servers have seen an end of data;
NUL, which no body but BINARYMIME may hold (RFC 2045 §2.8) and at which programs cut strings; more
octets than the limit (RFC 1870 §6.3). A refused body is read to its end, and nothing of it is kept.
"""

from postroad.model import Reply
from postroad.wire.smtp.events import DataAborted, DataChunk
from postroad.wire.smtp.framing import ChunkReader, DotReader, LineBuffer, has_bare_line_break

TOO_BIG = Reply(552, "5.3.4", "Message is larger than SIZE allows")
_BARE = Reply(550, "5.6.11", "Message holds a bare CR or LF; lines end with CRLF")
_NUL = Reply(550, "5.6.0", "Message holds NUL")


class Intake:
    """What both kinds of body share: how large it is so far and whether it is refused."""

    __slots__ = ("_limit", "octets", "refusal")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.octets = 0
        self.refusal: Reply | None = None

    def _admit(self, piece: bytes) -> DataChunk | DataAborted | None:
        if not piece or self.refusal is not None:
            return None
        self.octets += len(piece)
        if self.octets > self._limit:
            return self._refuse(TOO_BIG)
        if has_bare_line_break(piece):
            return self._refuse(_BARE)
        if b"\0" in piece:
            return self._refuse(_NUL)
        return DataChunk(piece)

    def _refuse(self, reply: Reply) -> DataAborted:
        self.refusal = reply
        return DataAborted(reply)


class DataIntake(Intake):
    """The body after DATA."""

    __slots__ = ("_reader", "complete")

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._reader = DotReader()
        self.complete = False

    @property
    def plain(self) -> bool:
        """Whether the body, if it was not refused, is fit to be sent as it is."""
        return self._reader.dotless

    def take(self, buffer: LineBuffer) -> DataChunk | DataAborted | None:
        """Take all there is; at the end leave in `buffer` what came behind it."""
        reader = self._reader
        event = self._admit(reader.feed(buffer.take_all()))
        rest = reader.rest
        if rest is not None:
            self.complete = True
            if rest:
                buffer.append(rest)
        return event


class ChunkIntake(Intake):
    """The chunks of one transaction (RFC 3030 §2). `last` and `complete` speak of the present one."""

    __slots__ = ("_at_line_start", "_octets_of_chunk", "_reader", "last")

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._reader = ChunkReader()
        self._octets_of_chunk = 0
        self._at_line_start = True
        self.last = False

    def begin(self, octets: int, last: bool) -> DataAborted | None:
        """A chunk of `octets` follows; it is refused at once if it would be too much."""
        self._reader.begin(octets)
        self._octets_of_chunk = octets
        self.last = last
        if self.refusal is None and self.octets + octets > self._limit:
            return self._refuse(TOO_BIG)
        return None

    def swallow(self, reply: Reply) -> None:
        """Let the rest of this chunk, and all that follow, go unread; `reply` answers it."""
        self.refusal = reply

    @property
    def complete(self) -> bool:
        """Whether the present chunk is read to its end."""
        return not self._reader.remaining

    @property
    def received(self) -> Reply:
        """The answer to a chunk that is not the last."""
        return Reply(250, "2.0.0", f"{self._octets_of_chunk} octets received")

    def take(self, buffer: LineBuffer) -> DataChunk | DataAborted | None:
        """Take of the present chunk what there is."""
        piece = self._reader.feed(buffer.take(self._reader.remaining))
        if piece:
            self._at_line_start = piece.endswith(b"\n")
        return self._admit(piece)

    def finish(self) -> DataChunk | DataAborted | None:
        """The last chunk is complete: refuse a bare CR, or end a last line that has no end, as DATA
        would have had to (RFC 5321 §4.1.1.4). So what is stored is what POP3 counts and sends.
        """
        if self.refusal is None and self._reader.finish():
            return self._refuse(_BARE)
        return None if self._at_line_start else self._admit(b"\r\n")
