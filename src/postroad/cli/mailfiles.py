"""Messages in files: one in a file, many in an mbox (RFC 4155), a maildir, or a folder of files.

Large ones are cut at `MAX_OCTETS`; line ends become CRLF, so that a message is the same from wherever it
is read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAX_OCTETS = 1_048_576
"""Of one message no more is read."""

_FROM = b"From "
_STEP = 65_536


def messages_in(path: Path) -> Iterator[bytes]:
    """Yield the messages of a file or folder, in the order of names. Raises `OSError`."""
    if path.is_dir():
        for name in sorted(path.iterdir()):
            hidden = name.name.startswith(".") and not (name.is_dir() and (name / "cur").is_dir())
            if name.name == "tmp" or hidden:
                continue  # a maildir's unfinished mail, and what is not mail
            yield from messages_in(name)
        return
    with path.open("rb") as file:
        yield from _messages(file)


def _messages(file: BinaryIO) -> Iterator[bytes]:
    first = file.readline(_STEP)
    if not first.startswith(_FROM):
        yield _crlf(first + file.read(MAX_OCTETS))
        return
    message = bytearray()
    after_blank = False
    while line := file.readline(_STEP):
        if after_blank and line.startswith(_FROM):
            yield _crlf(bytes(message))
            message.clear()
            after_blank = False
            continue
        after_blank = line in (b"\n", b"\r\n")
        if len(message) < MAX_OCTETS:
            quoted = line.startswith(b">") and line.lstrip(b">").startswith(_FROM)
            message += line[1:] if quoted else line
    yield _crlf(bytes(message))


def _crlf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
