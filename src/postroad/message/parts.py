"""The leaves of a MIME message, for reading attachments that programs sent: reports of all kinds.

A flat view of `message.mime`, decoded: what lies deeper or comes later than the bounds is left out.
Nothing is raised for what is in a message.
"""

from collections.abc import Iterator

from msgspec import Struct

from postroad.message.mime import MimeMessage
from postroad.message.mime import Part as Offsets

MAX_PARTS = 100
MAX_DEPTH = 8


class Part(Struct, frozen=True):
    """One leaf. `media_type` is in lower case (``"text/plain"`` where none can be read), `filename` is
    as it was written, ``""`` where there is none; `body` is decoded.
    """

    media_type: str
    filename: str
    body: bytes


def parts_of(message: bytes) -> Iterator[Part]:
    """Yield the leaves of a message in order. Line ends may be CRLF or LF, and stay as they are.

    A message within the message is a leaf, too: whoever reports on one returns it so.
    """
    found = MimeMessage(message, MAX_DEPTH)
    for count, leaf in enumerate(_leaves(found.root), 1):
        if count > MAX_PARTS:
            return
        body = found.body(leaf, leaf.end - leaf.body)
        yield Part(leaf.media_type, leaf.filename, body)


def _leaves(root: Offsets) -> Iterator[Offsets]:
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.is_multipart:
            waiting.extend(reversed(part.children))
        elif not part.media_type.startswith("multipart/") or not part.parameters.get("boundary"):
            yield part
