"""clamd's INSTREAM (clamd(8)): chunks with their length before them, one line back."""

import struct
from collections.abc import Iterable, Iterator

from msgspec import Struct

from postroad.wire.scan.failed import ScanFailed

MAX_ANSWER_OCTETS = 4096
_CHUNK_OCTETS = 64 * 1024


class ClamavAnswer(Struct, frozen=True):
    """What was found; ``""`` for nothing."""

    found: str


def instream(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what is to be sent for a message in pieces."""
    yield b"zINSTREAM\0"
    for piece in pieces:
        for start in range(0, len(piece), _CHUNK_OCTETS):
            chunk = piece[start : start + _CHUNK_OCTETS]
            yield struct.pack("!I", len(chunk)) + chunk
    yield struct.pack("!I", 0)


def read_clamav(answer: bytes) -> ClamavAnswer:
    """Read ``stream: OK`` or ``stream: NAME FOUND``. Raises `ScanFailed` for errors and nonsense."""
    text = answer.rstrip(b"\0\r\n").decode("utf-8", "replace")
    prefix, _, rest = text.partition(": ")
    if prefix == "stream" and rest == "OK":
        return ClamavAnswer("")
    if prefix == "stream" and rest.endswith(" FOUND"):
        return ClamavAnswer(rest.removesuffix(" FOUND"))
    raise ScanFailed(text[:200] or "it said nothing")
