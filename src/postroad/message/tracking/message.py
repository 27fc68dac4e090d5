"""What a message shows, with links of another making: the same message for each recipient, but for the
links.

What is signed or encrypted, attached, or a message in the message is left alone, and so is what cannot
be changed with certainty. Text that no link is in keeps its octets.
"""

import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Callable, Iterator
from html import escape

from msgspec import Struct

from postroad.message.mime.encodings import decode
from postroad.message.mime.part import Part
from postroad.message.mime.structure import read_structure
from postroad.message.tracking.html import FoundLink, find_links, place_of_picture

MAX_HTML_OCTETS = 1024 * 1024
"""HTML that is longer is left as it is; mail programs show no more of it than a tenth of that."""

_MAX_LINE = 998  # RFC 5322 §2.1.1
_BASE64_OCTETS = 57  # 76 letters
_CHANGED = frozenset({"", "7bit", "8bit", "quoted-printable", "base64"})
_UNTOUCHED = frozenset({"multipart/signed", "multipart/encrypted", "multipart/report"})
# Charsets in which an octet of ASCII may be a part of another letter, or is not alone.
_STRANGE = re.compile(r"utf-?(?:16|32|7)|iso-2022|hz|ucs|cp?037|ebcdic|unicode|viscii", re.I)
_ENCODING = re.compile(
    rb"^content-transfer-encoding[ \t]*+:(?:[^\n]*+\n)(?:[ \t][^\n]*+\n)*+", re.I | re.M
)


class _Document(Struct, frozen=True):
    """The text of a part with its transfer encoding undone: the links in it, where a picture may go (-1:
    nowhere), and where `own` stands.
    """

    part: Part
    text: bytes
    links: tuple[FoundLink, ...] = ()
    picture: int = -1
    own: tuple[tuple[int, int], ...] = ()

    @property
    def is_html(self) -> bool:
        return self.part.media_type == "text/html"


class Trackable:
    """A whole message (CRLF line ends), read once. `targets` are those of its links that may be tracked,
    in order; `shows_html` tells whether there is HTML that a picture can be put into.

    `spares` says which targets to leave alone. `own`, where it is given, is an address in the web that
    stands for another one in each copy: as the target of links, and in plain text.
    """

    def __init__(self, data: bytes, spares: Callable[[str], bool], own: str = "") -> None:
        self._data = data
        self._documents = [
            _document(data, each, spares, own)
            for each in _shown(read_structure(data), plain=bool(own))
        ]
        self.targets = [link.target for each in self._documents for link in each.links]

    @property
    def shows_html(self) -> bool:
        """Whether it shows HTML."""
        return any(each.is_html for each in self._documents)

    @property
    def has_own(self) -> bool:
        """Whether `own` stands in it."""
        return any(each.own for each in self._documents)

    def written(
        self, link: Callable[[str], str] | None, picture: str | None, own: str | None = None
    ) -> bytes:
        """Return the message with the links that `link` makes of their targets, the picture of that
        address at the end of the first HTML, and an address in place of `own`. None leaves out one or
        the other.
        """
        pieces = []
        position = 0
        for document in self._documents:
            changed = _changed(document, link, picture, own)
            if document.is_html:
                picture = None
            if changed == document.text:
                continue
            header, body = _encoded(self._data, document.part, changed)
            pieces += [self._data[position : document.part.header], header, body]
            position = document.part.end
        return b"".join((*pieces, self._data[position:]))


def _shown(part: Part, *, plain: bool) -> Iterator[Part]:
    """Yield the parts that are HTML to be read (with `plain`, plain text too), in the order in which
    they lie in the message.
    """
    if part.opaque or part.is_message or part.media_type in _UNTOUCHED:
        return
    if part.is_multipart:
        for child in part.children:
            yield from _shown(child, plain=plain)
    elif (
        (part.media_type == "text/html" or (plain and part.media_type == "text/plain"))
        and part.disposition.value != "attachment"
        and part.encoding in _CHANGED
        and not _STRANGE.search(part.charset)
        and part.end - part.body <= 2 * MAX_HTML_OCTETS
    ):
        yield part


def _document(data: bytes, part: Part, spares: Callable[[str], bool], own: str) -> _Document:
    text = decode(data[part.body : part.end], part.encoding, MAX_HTML_OCTETS + 1)
    if len(text) > MAX_HTML_OCTETS:
        return _Document(part, text)
    if part.media_type == "text/plain":
        places = re.finditer(re.escape(own.encode()) + rb"(?![\w-])", text)
        return _Document(part, text, own=tuple(each.span() for each in places))
    found = find_links(text)
    return _Document(
        part,
        text,
        tuple(
            each for each in found if not (each.spared or each.target == own or spares(each.target))
        ),
        place_of_picture(text),
        tuple((each.start, each.end) for each in found if each.target == own),
    )


def _changed(
    document: _Document, link: Callable[[str], str] | None, picture: str | None, own: str | None
) -> bytes:
    text = document.text
    edits = []
    if link is not None:
        edits = [(each.start, each.end, _quoted(link(each.target))) for each in document.links]
    if own is not None:
        address = _quoted(own) if document.is_html else own.encode("ascii")
        edits += [(start, end, address) for start, end in document.own]
    if picture is not None and document.picture >= 0:
        shown = b'<img src=%s width="1" height="1" alt="" style="border:0">' % _quoted(picture)
        edits.append((document.picture, document.picture, shown))
    pieces = []
    position = 0
    for start, end, new in sorted(edits):
        pieces += [text[position:start], new]
        position = end
    return b"".join((*pieces, text[position:]))


def _quoted(address: str) -> bytes:
    return b'"' + escape(address).encode("ascii") + b'"'


def _encoded(data: bytes, part: Part, text: bytes) -> tuple[bytes, bytes]:
    """Return header and body of a part whose text was changed."""
    header = data[part.header : part.body]
    if part.encoding == "base64":
        lines = (text[at : at + _BASE64_OCTETS] for at in range(0, len(text), _BASE64_OCTETS))
        return header, b"\r\n".join(b2a_base64(line, newline=False) for line in lines)
    if part.encoding == "quoted-printable":
        return header, _quoted_printable(text)
    if max(map(len, text.split(b"\r\n"))) <= _MAX_LINE and b"\n--" not in text:
        return header, text
    field = b"Content-Transfer-Encoding: quoted-printable\r\n"
    header, count = _ENCODING.subn(field, header, count=1)
    if not count:
        header = field + header
    return header, _quoted_printable(text)


def _quoted_printable(text: bytes) -> bytes:
    """RFC 2045 §6.7, and no line that a delimiter could be taken for."""
    lines = (b2a_qp(line, quotetabs=False, istext=False) for line in text.split(b"\r\n"))
    encoded = b"\r\n".join(line.replace(b"=\n", b"=\r\n") for line in lines)
    if encoded.startswith(b"--"):
        encoded = b"=2D" + encoded[1:]
    return encoded.replace(b"\n--", b"\n=2D-")
