"""The bodies of emails as clients see them: structure, parts and texts (RFC 8621 §4.1.4)."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from postroad.message.mime import MimeMessage, Part, layout_of
from postroad.message.mime.charsets import codec_of
from postroad.message.mime.encodings import known
from postroad.service.jmap.blobs import part_blob
from postroad.service.jmap.email_properties import (
    HeaderWanted,
    header_value,
    headers_json,
    parse_header_property,
)
from postroad.wire.jmap import Arguments, MethodError

PART_PROPERTIES = (
    "partId",
    "blobId",
    "size",
    "name",
    "type",
    "charset",
    "disposition",
    "cid",
    "language",
    "location",
)
_MORE = ("headers", "subParts")
MAX_VALUE_OCTETS = 4_000_000
"""Of the texts of one email no more is answered."""


class BodyWanted(Struct, frozen=True):
    """Which properties of parts are wanted, and which texts; `max_octets` of each, 0: all."""

    properties: tuple[str, ...]
    headers: tuple[HeaderWanted, ...]
    text: bool
    html: bool
    every: bool
    max_octets: int

    @classmethod
    def take(cls, arguments: Arguments) -> "BodyWanted":
        """Take the arguments that say so. Raises `MethodError`."""
        given = arguments.texts("bodyProperties")
        properties, headers = [], []
        for name in PART_PROPERTIES if given is None else given:
            if name.startswith("header:"):
                headers.append(parse_header_property(name))
            elif name in PART_PROPERTIES or name in _MORE:
                properties.append(name)
            else:
                raise MethodError("invalidArguments", f"parts have no property {name[:80]!r}")
        return cls(
            tuple(properties),
            tuple(headers),
            arguments.flag("fetchTextBodyValues"),
            arguments.flag("fetchHTMLBodyValues"),
            arguments.flag("fetchAllBodyValues"),
            arguments.number("maxBodyValueBytes") or 0,
        )


class Body:
    """The parts of one message; `whole` is the id of the blob that it is."""

    def __init__(self, message: MimeMessage, whole: str, wanted: BodyWanted) -> None:
        self._message = message
        self._whole = whole
        self._wanted = wanted
        self._ids: dict[int, str] = {}
        for number, part in enumerate(message.root.walk(), 1):
            if not part.is_multipart:
                self._ids[id(part)] = str(number)
        self._layout = layout_of(message.root)

    def structure(self) -> dict[str, Any]:
        """Return ``bodyStructure``."""
        return self._part(self._message.root, with_children=True)

    def texts(self) -> list[dict[str, Any]]:
        """Return ``textBody``."""
        return self._parts(self._layout.text)

    def htmls(self) -> list[dict[str, Any]]:
        """Return ``htmlBody``."""
        return self._parts(self._layout.html)

    def attachments(self) -> list[dict[str, Any]]:
        """Return ``attachments``."""
        return self._parts(self._layout.attachments)

    def values(self) -> dict[str, Any]:
        """Return ``bodyValues``: the texts that are wanted, by part."""
        wanted: list[Part] = []
        if self._wanted.every:
            wanted += self._message.root.walk()
        if self._wanted.text:
            wanted += self._layout.text
        if self._wanted.html:
            wanted += self._layout.html
        found: dict[str, Any] = {}
        left = MAX_VALUE_OCTETS
        for part in wanted:
            number = self._ids.get(id(part))
            if number is None or number in found or not part.media_type.startswith("text/"):
                continue
            most = min(self._wanted.max_octets or left, left)
            found[number] = self._value(part, most)
            left -= len(found[number]["value"])
        return found

    def _value(self, part: Part, most: int) -> dict[str, Any]:
        text = self._message.body_text(part, most + 4)
        octets = text.encode("utf-8", "replace")
        truncated = len(octets) > most or self._message.body(part, most + 5)[most + 4 :] != b""
        if len(octets) > most:
            text = octets[:most].decode("utf-8", "ignore")
            if part.media_type == "text/html" and text.rfind("<") > text.rfind(">"):
                text = text[: text.rfind("<")]  # no tag is cut in two
        charset, encoding = part.charset, part.encoding
        problem = not known(encoding) or (bool(charset) and codec_of(charset) is None)
        return {
            "value": text,
            "isEncodingProblem": problem or "�" in text,
            "isTruncated": truncated,
        }

    def _parts(self, parts: Sequence[Part]) -> list[dict[str, Any]]:
        return [self._part(part, with_children=False) for part in parts]

    def _part(self, part: Part, with_children: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        wanted = self._wanted.properties
        multipart = part.is_multipart
        for name in wanted:
            if name == "subParts":
                continue
            found[name] = self._property(part, name, multipart)
        if with_children and multipart:
            found["subParts"] = [self._part(child, True) for child in part.children]
        elif "subParts" in wanted:
            found["subParts"] = None
        if self._wanted.headers:
            fields = self._message.fields(part)
            for header in self._wanted.headers:
                found[header.property] = header_value(header, fields)
        return found

    def _property(self, part: Part, name: str, multipart: bool) -> Any:
        if name == "partId":
            return self._ids.get(id(part))
        if name == "blobId":
            return None if multipart else part_blob(self._whole, part.body, part.end, part.encoding)
        if name == "size":
            return 0 if multipart else len(self._message.body(part, part.end - part.body))
        if name == "headers":
            return headers_json(self._message, part)
        if name == "name":
            return part.filename or None
        if name == "type":
            return part.media_type
        if name == "charset":
            default = "us-ascii" if part.media_type.startswith("text/") else None
            return part.charset or default
        if name == "disposition":
            return part.disposition.value or None
        if name == "cid":
            return part.content_id or None
        return self._field(part, name)

    def _field(self, part: Part, name: str) -> Any:
        value = next(
            (raw for field, raw in self._message.fields(part) if field == f"content-{name}"), None
        )
        if value is None:
            return None
        text = value.decode("ascii", "replace").strip()
        if name == "language":
            return [each.strip() for each in text.split(",") if each.strip()] or None
        return "".join(text.split()) or None
