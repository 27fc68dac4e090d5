"""Writing a message of header fields and parts (RFC 2045, RFC 2046): 7-bit, lines of 998 octets at most.

The counterpart of `structure`. Texts are written as they are where they can be, else in
quoted-printable, all else in base64.
"""

import binascii
import re
from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from postroad.message.mime.write_fields import parameter
from postroad.message.newfield import NewField

_LINE_ENDS = re.compile(rb"\r\n|\r|\n")
_BASE64_LINE = 57
_MAX_LINE = 900


class Leaf(Struct, frozen=True):
    """A part with a body. The line ends of texts may be any. `disposition` is ``inline``,
    ``attachment`` or ``""``; `cid` is without angle brackets.
    """

    media_type: str
    data: bytes
    charset: str = ""
    name: str = ""
    disposition: str = ""
    cid: str = ""

    @property
    def is_related(self) -> bool:
        """Whether the HTML shows it in its place."""
        return bool(self.cid) and self.disposition == "inline"


class Multipart(Struct, frozen=True):
    """Parts together: ``mixed``, ``alternative``, ``related``."""

    kind: str
    parts: tuple["Leaf | Multipart", ...]


Node: TypeAlias = Leaf | Multipart


def write_message(fields: Sequence[tuple[str, str]], root: Node, *, boundary: str) -> bytes:
    """Return the message. `boundary` must be one that is nowhere in the bodies, such as a random one.

    Raises `ValueError` where a field cannot be one.
    """
    pieces = [NewField(name, value).to_bytes() for name, value in fields]
    pieces.append(b"MIME-Version: 1.0\r\n")
    counter = [0]
    _write(root, boundary, counter, pieces)
    return b"".join(pieces)


def _write(node: Node, boundary: str, counter: list[int], pieces: list[bytes]) -> None:
    if isinstance(node, Leaf):
        _write_leaf(node, pieces)
        return
    counter[0] += 1
    mark = f"{boundary}{counter[0]}"
    pieces.append(
        f'Content-Type: multipart/{node.kind};\r\n boundary="{mark}"\r\n\r\n'.encode("ascii")
    )
    for part in node.parts:
        pieces.append(f"--{mark}\r\n".encode())
        _write(part, boundary, counter, pieces)
        pieces.append(b"\r\n")
    pieces.append(f"--{mark}--\r\n".encode())


def _write_leaf(leaf: Leaf, pieces: list[bytes]) -> None:
    encoding, body = _encoded(leaf)
    kind = [leaf.media_type]
    if leaf.charset:
        kind.append(parameter("charset", leaf.charset))
    if leaf.name:
        kind.append(parameter("name", leaf.name))
    fields = [("Content-Type", ";\r\n ".join(kind))]
    if leaf.disposition or leaf.name:
        disposition = [leaf.disposition or "attachment"]
        if leaf.name:
            disposition.append(parameter("filename", leaf.name))
        fields.append(("Content-Disposition", ";\r\n ".join(disposition)))
    if leaf.cid:
        fields.append(("Content-ID", f"<{leaf.cid}>"))
    fields.append(("Content-Transfer-Encoding", encoding))
    pieces += [NewField(name, value).to_bytes() for name, value in fields]
    pieces += [b"\r\n", body]


def _encoded(leaf: Leaf) -> tuple[str, bytes]:
    data = leaf.data
    if leaf.media_type.startswith("message/") and leaf.media_type != "message/partial":
        # These must not be in an encoding (RFC 2046 §5.2.1).
        body = _LINE_ENDS.sub(b"\r\n", data)
        return ("7bit" if body.isascii() else "8bit"), body
    if not leaf.media_type.startswith("text/"):
        return "base64", _base64(data)
    lines = _LINE_ENDS.sub(b"\n", data)
    if lines.isascii() and b"\0" not in lines and _shortest(lines):
        return "7bit", lines.replace(b"\n", b"\r\n")
    quoted = binascii.b2a_qp(lines, istext=True).replace(b"\n", b"\r\n")
    return "quoted-printable", quoted


def _shortest(lines: bytes) -> bool:
    return max(map(len, lines.split(b"\n")), default=0) <= _MAX_LINE


def _base64(data: bytes) -> bytes:
    size = _BASE64_LINE
    return b"".join(
        binascii.b2a_base64(data[start : start + size], newline=False) + b"\r\n"
        for start in range(0, len(data), size)
    )
