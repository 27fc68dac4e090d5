"""Making the bytes of a message of an Email object that a client sent (RFC 8621 §4.6)."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from postroad.message.mime.write import Leaf, Multipart, Node, write_message
from postroad.message.mime.write_fields import (
    address_list,
    groups,
    message_ids,
    raw_value,
    text_value,
    urls,
)
from postroad.message.trace import make_message_id, rfc5322_date
from postroad.service.jmap.blobs import find_blob, read_blob
from postroad.service.jmap.desk import Context
from postroad.service.jmap.email_properties import CONVENIENT, form_fits
from postroad.wire.jmap import SetError
from postroad.wire.jmap.errors import invalid

_HEADER = re.compile(r"header:([!-9;-~]{1,76})(?::(as[A-Za-z]+))?(:all)?")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
_CID = re.compile(r"[!-;=?-~]{1,250}")
_BODY = ("bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments")
MAX_PARTS = 500

_BUILD = {
    "asRaw": raw_value,
    "asText": text_value,
    "asAddresses": address_list,
    "asGroupedAddresses": groups,
    "asMessageIds": message_ids,
    "asURLs": urls,
}
_NAMES = {
    "message-id": "Message-ID",
    "in-reply-to": "In-Reply-To",
    "reply-to": "Reply-To",
}


class _Making(Struct):
    context: Context
    values: Mapping[str, Any]
    left: int
    missing: list[str]
    parts: int = 0


async def make_message(context: Context, given: Mapping[str, Any], number: int) -> bytes:
    """Return the message; `given` are properties of the header and of the body. Raises `SetError`.

    A Message-ID and a Date are added where the client gave none.
    """
    most = context.desk.settings.max_message_octets
    fields = _fields(given, context, number)
    making = _Making(context, _values(given), most, [])
    root = await _root(making, given)
    if making.missing:
        raise SetError("blobNotFound", "", notFound=making.missing)
    try:
        data = write_message(fields, root, boundary=f"=_{context.desk.entropy.token(18)}")
    except ValueError as error:
        raise invalid(str(error)) from None
    if len(data) > most:
        raise SetError("tooLarge", f"a message has at most {most} octets", maxSize=most)
    return data


def _fields(given: Mapping[str, Any], context: Context, number: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    seen: set[str] = set()
    now = context.desk.clock.now()
    for name, value in given.items():
        if name in _BODY:
            continue
        field, form, every = _field_of(name)
        if field.lower() in seen:
            raise invalid(f"{field} is there twice", name)
        seen.add(field.lower())
        if field.lower().startswith("content-"):
            raise invalid("Content fields belong to parts", name)
        if value is None:
            continue
        values = value if every and isinstance(value, list) else [value]
        found += [(field, _value(name, form, each)) for each in values]
    if "message-id" not in seen:
        found.append(("Message-ID", make_message_id(number, context.desk.settings.hostname)))
    if "date" not in seen:
        found.append(("Date", rfc5322_date(now)))
    return found


def _field_of(name: str) -> tuple[str, str, bool]:
    if name in CONVENIENT:
        field, form = CONVENIENT[name]
        return _NAMES.get(field, field.capitalize()), form, False
    match = _HEADER.fullmatch(name)
    if match is None or (match[2] or "asRaw") not in (*_BUILD, "asDate"):
        raise invalid(f"emails are not made with a property {name[:80]!r}", name[:80])
    form = match[2] or "asRaw"
    if not form_fits(match[1].lower(), form):
        raise invalid(f"{match[1]} cannot be given {form}", name)
    return match[1], form, match[3] is not None


def _value(name: str, form: str, value: Any) -> str:
    try:
        if form == "asDate":
            return _date(value)
        return _BUILD[form](value)
    except (ValueError, TypeError, AttributeError) as error:
        raise invalid(str(error) or "it cannot be so", name) from None


def _date(value: Any) -> str:
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError("a date has an offset")
    return moment.strftime("%a, %d %b %Y %H:%M:%S %z")


def _values(given: Mapping[str, Any]) -> Mapping[str, Any]:
    values = given.get("bodyValues") or {}
    if not isinstance(values, dict):
        raise invalid("it has to be an object", "bodyValues")
    for each in values.values():
        if not isinstance(each, dict) or not isinstance(each.get("value"), str):
            raise invalid("each has a value that is a text", "bodyValues")
        if each.get("isEncodingProblem") or each.get("isTruncated"):
            raise invalid("what is made is neither truncated nor broken", "bodyValues")
    return values


async def _root(making: _Making, given: Mapping[str, Any]) -> Node:
    structure = given.get("bodyStructure")
    if structure is not None:
        if any(given.get(name) is not None for name in ("textBody", "htmlBody", "attachments")):
            raise invalid("with bodyStructure there is no other body", "bodyStructure")
        return await _node(making, structure, "bodyStructure")
    texts: list[Node] = []
    for name, media_type in (("textBody", "text/plain"), ("htmlBody", "text/html")):
        parts = given.get(name)
        if parts is None:
            continue
        if not isinstance(parts, list) or len(parts) != 1:
            raise invalid("it has exactly one part", name)
        node = await _node(making, {"type": media_type, **_object(parts[0], name)}, name)
        if not isinstance(node, Leaf) or node.media_type != media_type:
            raise invalid(f"it has to be {media_type}", name)
        texts.append(node)
    attachments = given.get("attachments") or []
    if not isinstance(attachments, list):
        raise invalid("it has to be a list", "attachments")
    attached = [await _node(making, each, "attachments", True) for each in attachments]
    related = [each for each in attached if isinstance(each, Leaf) and each.is_related]
    others = [each for each in attached if each not in related]
    if not texts:
        texts = [Leaf("text/plain", b"")]
    body: Node = texts[0] if len(texts) == 1 else Multipart("alternative", tuple(texts))
    if related:
        body = Multipart("related", (body, *related))
    return Multipart("mixed", (body, *others)) if others else body


def _object(given: Any, name: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise invalid("a part has to be an object", name)
    return given


async def _node(making: _Making, given: Any, where: str, attached: bool = False) -> Node:
    part = _object(given, where)
    making.parts += 1
    if making.parts > MAX_PARTS:
        raise invalid(f"a message has at most {MAX_PARTS} parts", where)
    media_type = part.get("type") or ("application/octet-stream" if attached else "text/plain")
    if not isinstance(media_type, str) or not _TYPE.fullmatch(media_type.lower()):
        raise invalid("a part has a type", where)
    media_type = media_type.lower()
    if "headers" in part:
        raise invalid("give header fields one by one", where)
    children = part.get("subParts")
    if media_type.startswith("multipart/"):
        if not isinstance(children, list) or not children or part.get("partId") is not None:
            raise invalid("a multipart has subParts and no partId", where)
        nodes = [await _node(making, child, where) for child in children]
        return Multipart(media_type.partition("/")[2], tuple(nodes))
    if children:
        raise invalid("only a multipart has subParts", where)
    data = await _data(making, part, media_type, where)
    texts = {name: part.get(name) for name in ("name", "disposition", "cid", "charset", "location")}
    if any(value is not None and not isinstance(value, str) for value in texts.values()):
        raise invalid("it has to be a text", where)
    if texts["cid"] is not None and not _CID.fullmatch(texts["cid"]):
        raise invalid("a cid has neither spaces nor angle brackets", where)
    disposition = texts["disposition"] or ("attachment" if attached else "")
    if disposition not in ("", "inline", "attachment"):
        raise invalid("a disposition is inline or attachment", where)
    charset = (texts["charset"] or "") if part.get("blobId") is not None else "utf-8"
    return Leaf(
        media_type,
        data,
        charset=charset if media_type.startswith("text/") else "",
        name=texts["name"] or "",
        disposition=disposition,
        cid=texts["cid"] or "",
    )


async def _data(making: _Making, part: dict[str, Any], media_type: str, where: str) -> bytes:
    number, blob_id = part.get("partId"), part.get("blobId")
    if (number is None) == (blob_id is None):
        raise invalid("a part has either a partId or a blobId", where)
    if number is not None:
        value = making.values.get(number) if isinstance(number, str) else None
        if value is None:
            raise invalid(f"there is no value for part {str(number)[:80]!r}", "bodyValues")
        if not media_type.startswith("text/"):
            raise invalid("what bodyValues hold is text", where)
        if part.get("charset") not in (None, "utf-8") or part.get("size") is not None:
            raise invalid("charset and size are not given with a partId", where)
        text: str = value["value"]
        return text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
    blob = await find_blob(making.context, blob_id)
    if blob is None:
        making.missing.append(str(blob_id)[:255])
        return b""
    data = await read_blob(making.context, blob, making.left + 1)
    making.left -= len(data)
    if making.left < 0:
        most = making.context.desk.settings.max_message_octets
        raise SetError("tooLarge", f"a message has at most {most} octets", maxSize=most)
    return data
