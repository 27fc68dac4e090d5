"""A letter and its bytes: text and HTML as alternatives (RFC 2046 §5.1.4), images that the HTML shows
related to it (RFC 2387), files beside it (RFC 2046 §5.1.3, RFC 2183).
"""

import re
from binascii import b2a_base64, b2a_qp

from msgspec import Struct

from postroad.message.compose.fields import (
    LetterInvalid,
    Person,
    field_name,
    field_value,
    parameter,
    people_field,
    plain_field,
    sound,
    text_field,
)

MAX_FILE_NAME = 255
MAX_FIELDS = 100
MAX_ATTACHMENTS = 500
MAX_LINE_OCTETS = 900

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}")
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,200}")
_BOUNDARY = (
    "=_postroad_"  # "=_" is in no part in quoted-printable or base 64, and other parts have none
)
_BASE64_COLUMNS = 57  # octets, which make 76 columns (RFC 2045 §6.8)


class Attachment(Struct, frozen=True):
    """A file. With `content_id` it is shown within the HTML, which names it ``cid:`` and that."""

    content: bytes
    filename: str = ""
    media_type: str = "application/octet-stream"
    content_id: str = ""


class Letter(Struct, frozen=True):
    """What is to be written. `fields` are further header fields, by name and value."""

    author: Person
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    reply_to: tuple[Person, ...] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()


def compose(letter: Letter) -> bytes:
    """Return the message, CRLF at all line ends, without Date and Message-ID. Raises `LetterInvalid`."""
    _check(letter)
    head = [people_field("From", (letter.author,))]
    for name, people in (("To", letter.to), ("Cc", letter.cc), ("Reply-To", letter.reply_to)):
        if people:
            head.append(people_field(name, people))
    head.append(text_field("Subject", letter.subject))
    for name, value in letter.fields:
        head.append(plain_field(f"headers.{name}", name, value))
    head.append(b"MIME-Version: 1.0\r\n")
    return b"".join(head) + _body(letter)


def _check(letter: Letter) -> None:
    sound("from.name", letter.author.name)
    for field in ("to", "cc", "reply_to"):
        people: tuple[Person, ...] = getattr(letter, field)
        for place, person in enumerate(people):
            sound(f"{field}[{place}].name", person.name)
    sound("subject", letter.subject)
    if len(letter.fields) > MAX_FIELDS:
        raise LetterInvalid("headers", f"there are more than {MAX_FIELDS}")
    seen: set[str] = set()
    for name, value in letter.fields:
        where = f"headers.{field_name('headers', name)}"
        field_value(where, name, value)
        if name.lower() in seen:
            raise LetterInvalid(where, "is there twice")
        seen.add(name.lower())
    for field in ("text", "html"):
        text: str | None = getattr(letter, field)
        if text is not None and "\0" in text:
            raise LetterInvalid(field, "holds the control character '\\x00'")
    if len(letter.attachments) > MAX_ATTACHMENTS:
        raise LetterInvalid("attachments", f"there are more than {MAX_ATTACHMENTS}")
    for place, each in enumerate(letter.attachments):
        _check_attachment(f"attachments[{place}]", each)


def _check_attachment(where: str, each: Attachment) -> None:
    sound(f"{where}.filename", each.filename, most=MAX_FILE_NAME)
    media_type = each.media_type
    if _MEDIA_TYPE.fullmatch(media_type) is None:
        raise LetterInvalid(f"{where}.content_type", f"{media_type[:80]!r} is no type/subtype")
    if media_type.lower().startswith(("multipart/", "message/")):
        # RFC 2046 §5.2.1: these may not be encoded; their parts would have to be looked at.
        raise LetterInvalid(
            f"{where}.content_type",
            f"{media_type} cannot be attached as such; say application/octet-stream",
        )
    if each.content_id and _CONTENT_ID.fullmatch(each.content_id) is None:
        raise LetterInvalid(f"{where}.content_id", "is of letters, digits and . _ @ - alone")


def _body(letter: Letter) -> bytes:
    inline = [each for each in letter.attachments if each.content_id and letter.html is not None]
    files = [each for each in letter.attachments if not each.content_id or letter.html is None]
    parts = []
    if letter.text is not None or letter.html is None:
        parts.append(_text(letter.text or "", "plain"))
    if letter.html is not None:
        html = _text(letter.html, "html")
        if inline:
            images = [_file(each, "inline") for each in inline]
            html = _multipart("related", [html, *images], ';\r\n type="text/html"')
        parts.append(html)
    whole = parts[0] if len(parts) == 1 else _multipart("alternative", parts)
    if not files:
        return whole
    return _multipart("mixed", [whole, *(_file(each, "attachment") for each in files)])


def _multipart(kind: str, parts: list[bytes], more: str = "") -> bytes:
    boundary = f"{_BOUNDARY}{kind}"
    head = f'Content-Type: multipart/{kind}{more};\r\n boundary="{boundary}"\r\n\r\n'
    line = f"--{boundary}\r\n".encode()
    written = [head.encode()]
    for part in parts:
        written += (line, part if part.endswith(b"\r\n") else part + b"\r\n")
    written.append(f"--{boundary}--\r\n".encode())
    return b"".join(written)


def _text(text: str, kind: str) -> bytes:
    if "\r" in text or "\n" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise LetterInvalid(
            "text" if kind == "plain" else "html", "is no text: it holds half of a character"
        ) from None
    if text.isascii():
        if b"=_" not in data and max(map(len, data.split(b"\n"))) <= MAX_LINE_OCTETS:
            if not data.endswith(b"\r\n"):
                data += b"\r\n"
            return f"Content-Type: text/{kind}; charset=us-ascii\r\n\r\n".encode() + data
        foreign = 0
    else:
        foreign = len(data) - len(text)
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: "
    if foreign * 6 > len(data):  # more octets as quoted-printable than in base 64
        return f"{head}base64\r\n\r\n".encode() + _base64(data)
    quoted = b2a_qp(data, istext=True)
    if not quoted.endswith(b"\r\n"):
        quoted += b"\r\n"
    return f"{head}quoted-printable\r\n\r\n".encode() + quoted


def _file(each: Attachment, disposition: str) -> bytes:
    head = f"Content-Type: {each.media_type}"
    if each.filename:
        head += parameter("name", each.filename)
    head += f"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: {disposition}"
    if each.filename:
        head += parameter("filename", each.filename)
    if each.content_id:
        head += f"\r\nContent-ID: <{each.content_id}>"
    return f"{head}\r\n\r\n".encode() + _base64(each.content)


def _base64(data: bytes) -> bytes:
    step = _BASE64_COLUMNS
    if len(data) <= step:
        return b2a_base64(data, newline=False) + b"\r\n"
    encoded = b2a_base64(data, newline=False)
    columns = 76
    return b"".join(encoded[at : at + columns] + b"\r\n" for at in range(0, len(encoded), columns))
