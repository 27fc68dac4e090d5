"""Blobs (RFC 8620 §6): whole emails, parts of emails and uploads, told apart by their ids.

The id of a part says where in its message it lies and how it is encoded, so that it is read without
looking at the rest. A made-up one reads other octets of the same message, and of no other.
"""

import binascii
import re
from collections.abc import AsyncIterator

from msgspec import Struct

from postroad.message.mime.encodings import decode
from postroad.model import ContentRef
from postroad.service.jmap.desk import Context
from postroad.service.jmap.ids import Kind, show

PIECE_OCTETS = 262_144
"""What is read at once."""

_PART = re.compile(r"([eu][0-9A-Z]{13})(?:_(\d{1,12})_(\d{1,12})_([pbq]))?")
_ENCODINGS = {
    "": "p",
    "7bit": "p",
    "8bit": "p",
    "binary": "p",
    "base64": "b",
    "quoted-printable": "q",
}
_NAMES = {"p": "", "b": "base64", "q": "quoted-printable"}
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)


class Slice(Struct, frozen=True):
    """Octets `begin` to `end` of something, in an encoding (``p``, ``b`` or ``q``)."""

    begin: int
    end: int
    encoding: str


class Blob(Struct, frozen=True):
    """What is behind an id: `prefix` and then the content, or a slice of these. `size` is in octets,
    None where it is known only once it was decoded. `message` has the id of its email, None for uploads.
    """

    prefix: bytes
    content: ContentRef
    whole_size: int
    part: Slice | None = None
    media_type: str = ""
    email: int | None = None

    @property
    def size(self) -> int | None:
        """Octets of what it is."""
        if self.part is None:
            return self.whole_size
        return self.part.end - self.part.begin if self.part.encoding == "p" else None


def email_blob(email: int) -> str:
    """Return the id of the blob that is an email."""
    return show(Kind.EMAIL, email)


def part_blob(whole: str, begin: int, end: int, encoding: str) -> str | None:
    """Return the id of a part's blob, None where its encoding is one that is not undone here."""
    letter = _ENCODINGS.get(encoding, "p")
    return f"{whole}_{begin}_{end}_{letter}"


async def find_blob(context: Context, text: object) -> Blob | None:
    """Return the blob of an id, None where the account has none. Raises `StorageError`."""
    meant = context.meant(text)
    match = _PART.fullmatch(meant) if isinstance(meant, str) else None
    if match is None:
        return None
    part = Slice(int(match[2]), int(match[3]), match[4]) if match[4] else None
    emails = context.desk.emails
    email = context.read(Kind.EMAIL, match[1])
    if email is not None:
        await context.desk.noticing.catch_up(context.number)
        for each in await emails.bytes_of(context.number, [email]):
            return _checked(Blob(each.prefix, each.content, each.size, part, "", email))
        return None
    number = context.read(Kind.UPLOAD, match[1])
    upload = None if number is None else await emails.upload(context.number, number)
    if upload is None:
        return None
    return _checked(Blob(b"", upload.content, upload.content.size, part, upload.media_type))


def _checked(blob: Blob) -> Blob | None:
    part = blob.part
    if part is not None and not part.begin <= part.end <= blob.whole_size:
        return None
    return blob


async def read_raw(context: Context, blob: Blob, begin: int, end: int) -> bytes:
    """Return octets of what a blob lies in. Raises `StorageError`."""
    head = blob.prefix[begin:end]
    start = max(0, begin - len(blob.prefix))
    wanted = end - begin - len(head)
    if wanted <= 0:
        return head
    pieces = [head]
    while wanted > 0:
        piece = await context.desk.content.read(blob.content, start, min(wanted, PIECE_OCTETS))
        if not piece:
            break
        pieces.append(piece)
        start += len(piece)
        wanted -= len(piece)
    return b"".join(pieces)


async def read_blob(context: Context, blob: Blob, max_octets: int) -> bytes:
    """Return a blob decoded, at most so much of it. Raises `StorageError`."""
    part = blob.part or Slice(0, blob.whole_size, "p")
    end = min(
        part.end, part.begin + (max_octets if part.encoding == "p" else 4 * max_octets + 1024)
    )
    raw = await read_raw(context, blob, part.begin, end)
    return decode(raw, _NAMES[part.encoding], max_octets)


async def stream(context: Context, blob: Blob) -> AsyncIterator[bytes]:
    """Yield a blob decoded, piece by piece. Raises `StorageError`.

    Base64 is undone as it is read. Quoted-printable, which is what texts are in, is read whole.
    """
    part = blob.part or Slice(0, blob.whole_size, "p")
    if part.encoding == "q":
        yield await read_blob(context, blob, part.end - part.begin)
        return
    letters = b""
    for begin in range(part.begin, part.end, PIECE_OCTETS):
        piece = await read_raw(context, blob, begin, min(begin + PIECE_OCTETS, part.end))
        if part.encoding == "p":
            yield piece
            continue
        if b"=" in piece.rstrip(b"=\r\n \t") or (b"=" in letters):
            # Texts put together of several, each with its own end: rare, and read whole.
            yield decode(
                letters + await read_raw(context, blob, begin, part.end), "base64", part.end
            )
            return
        letters += piece.translate(None, _NOT_BASE64)
        whole = len(letters) - len(letters) % 4
        if whole:
            yield binascii.a2b_base64(letters[:whole])
            letters = letters[whole:]
    if len(letters) > 1:
        yield binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
