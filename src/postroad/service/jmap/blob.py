"""Blob/upload, Blob/get and Blob/lookup (RFC 9404 §4): blobs made and read within a request."""

import base64
import hashlib
from typing import Any

from postroad.model import Group, Upload, Uploaded
from postroad.service.jmap.blobs import Blob, email_blob, find_blob, read_blob
from postroad.service.jmap.desk import Context
from postroad.service.jmap.ids import Kind, show
from postroad.service.jmap.standard import at_most, errors_json, may_set
from postroad.wire.jmap import Arguments, MethodError, SetError
from postroad.wire.jmap.errors import invalid

MAX_OCTETS = 1_048_576
"""Of data in one call, and of what one call reads; what is larger goes by upload and download."""

MAX_SOURCES = 64
DIGESTS = ("sha", "sha-256", "sha-512")
TYPES = ("Email", "Mailbox", "Thread")
_HASHES = {"sha": "sha1", "sha-256": "sha256", "sha-512": "sha512"}
_PROPERTIES = ("data", "data:asText", "data:asBase64", "size", *(f"digest:{d}" for d in DIGESTS))


def blob_capability() -> dict[str, Any]:
    """Return what an account's capability says (RFC 9404 §3)."""
    return {
        "maxSizeBlobSet": MAX_OCTETS,
        "maxDataSources": MAX_SOURCES,
        "supportedTypeNames": list(TYPES),
        "supportedDigestAlgorithms": list(DIGESTS),
    }


async def blob_upload(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Keep data that is in the request, or put together of other blobs."""
    context.own_account(arguments)
    create = arguments.table("create")
    arguments.done()
    may_set(context, len(create))
    created: dict[str, Any] = {}
    refused: dict[str, SetError] = {}
    left = MAX_OCTETS
    for name, given in create.items():
        try:
            data = await _put_together(context, given, left)
            left -= len(data)
            made = await _keep(context, str(given.get("type") or ""), data)
        except SetError as error:
            refused[name] = error
            continue
        context.created[name] = made["id"]
        created[name] = made
    return {
        "accountId": context.account_id,
        "created": created or None,
        "notCreated": errors_json(refused),
    }


async def _put_together(context: Context, given: dict[str, Any], left: int) -> bytes:
    for name in given:
        if name not in ("data", "type"):
            raise invalid("there is no such property", name[:80])
    if not isinstance(given.get("type") or "", str):
        raise invalid("it has to be a text", "type")
    sources = given.get("data")
    if not isinstance(sources, list) or len(sources) > MAX_SOURCES:
        raise invalid(f"it has to be a list of at most {MAX_SOURCES} sources", "data")
    pieces = []
    for source in sources:
        piece = await _source(context, source, left)
        left -= len(piece)
        if left < 0:
            raise SetError("tooLarge", f"at most {MAX_OCTETS} octets in one call")
        pieces.append(piece)
    return b"".join(pieces)


async def _source(context: Context, source: Any, left: int) -> bytes:
    if not isinstance(source, dict):
        raise invalid("a source is an object", "data")
    kinds = [name for name in ("data:asText", "data:asBase64", "blobId") if source.get(name)]
    if len(kinds) > 1:
        raise invalid("a source is one text, one in base 64, or one blob", "data")
    if not kinds:
        return b""
    value = source[kinds[0]]
    if not isinstance(value, str):
        raise invalid("data is a text", "data")
    if kinds[0] == "blobId":
        blob = await find_blob(context, value)
        if blob is None:
            raise SetError("blobNotFound", "there is no such blob", notFound=[value])
        begin, end = _range(source, await _size(context, blob))
        if end - begin > left:
            raise SetError("tooLarge", f"at most {MAX_OCTETS} octets in one call")
        return (await read_blob(context, blob, end))[begin:end]
    try:
        if kinds[0] == "data:asText":
            return value.encode()
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise invalid("it is no text that can be written, or no base 64", "data") from None


async def _keep(context: Context, media_type: str, data: bytes) -> dict[str, Any]:
    desk = context.desk
    writer = desk.content.stage(desk.entropy.id())
    try:
        writer.write(data)
        staged = await writer.finish()
        now = desk.clock.now()
        upload = Upload(staged.ref.id, context.number, staged.ref, media_type[:200], now)
        forget = now - desk.settings.keep_upload_seconds
        await desk.ledger.commit(Group((Uploaded(now, upload, forget),), (staged,)))
    except BaseException:
        writer.discard()
        raise
    kind = upload.media_type or "application/octet-stream"
    return {"id": show(Kind.UPLOAD, upload.id), "type": kind, "size": len(data)}


async def blob_get(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return octets of blobs, or their size and digests (RFC 9404 §4.2)."""
    context.own_account(arguments)
    ids = arguments.ids("ids") or []
    wanted = arguments.texts("properties") or ["data", "size"]
    offset, length = arguments.number("offset"), arguments.number("length")
    arguments.done()
    at_most(context, len(ids))
    for name in wanted:
        if name not in (*_PROPERTIES, "id"):
            raise MethodError("invalidArguments", f"there is no property {name[:80]!r}")
    found, missing = [], []
    left = MAX_OCTETS
    for each in dict.fromkeys(ids):
        blob = await find_blob(context, each)
        if blob is None:
            missing.append(each)
            continue
        whole = await _size(context, blob)
        begin = min(offset or 0, whole)
        end = whole if length is None else min(whole, (offset or 0) + length)
        cut = (offset or 0) > whole or (length is not None and (offset or 0) + length > whole)
        data = b""
        if any(name not in ("id", "size") for name in wanted):
            left -= end - begin
            if left < 0:
                raise MethodError("requestTooLarge", f"at most {MAX_OCTETS} octets in one call")
            data = (await read_blob(context, blob, end))[begin:end]
        told = _told(wanted, data, whole)
        found.append({"id": each, **told, **({"isTruncated": True} if cut else {})})
    return {"accountId": context.account_id, "list": found, "notFound": missing}


def _told(wanted: list[str], data: bytes, whole: int) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in wanted:
        if name == "size":
            told["size"] = whole
        elif name.startswith("digest:"):
            digest = hashlib.new(_HASHES[name.removeprefix("digest:")], data, usedforsecurity=False)
            told[name] = base64.b64encode(digest.digest()).decode()
    if "data:asBase64" in wanted:
        told["data:asBase64"] = base64.b64encode(data).decode()
    if "data" in wanted or "data:asText" in wanted:
        try:
            told["data:asText"] = data.decode()
        except UnicodeDecodeError:
            told["isEncodingProblem"] = True
            if "data" in wanted:
                told["data:asBase64"] = base64.b64encode(data).decode()
            else:
                told["data:asText"] = None
    return told


async def _size(context: Context, blob: Blob) -> int:
    """Return a blob's octets; what is known only decoded is decoded, as far as it may be read."""
    if blob.size is not None:
        return blob.size
    return len(await read_blob(context, blob, context.desk.settings.max_message_octets))


def _range(source: dict[str, Any], size: int) -> tuple[int, int]:
    offset, length = source.get("offset") or 0, source.get("length")
    for value in (offset, length):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise invalid("offset and length are whole numbers", "data")
    end = size if length is None else offset + length
    if not 0 <= offset <= end <= size:
        raise invalid("that is not within the blob", "data")
    return offset, end


async def blob_lookup(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Tell in which emails, threads and mailboxes blobs are (RFC 9404 §4.3): a whole email's blob, and
    those of its parts.
    """
    context.own_account(arguments)
    ids = arguments.ids("ids") or []
    types = arguments.texts("typeNames") or []
    arguments.done()
    at_most(context, len(ids))
    for name in types:
        if name not in TYPES:
            raise MethodError("unknownDataType", f"blobs are not looked up in {name[:80]!r}")
    found, missing = [], []
    for each in dict.fromkeys(ids):
        blob = await find_blob(context, each)
        if blob is None:
            missing.append(each)
            continue
        inside: dict[str, list[str]] = {name: [] for name in types}
        if blob.email is not None:
            for email in await context.desk.emails.emails(context.number, [blob.email]):
                places = {
                    "Email": email_blob(email.id),
                    "Thread": show(Kind.THREAD, email.thread),
                    "Mailbox": show(Kind.MAILBOX, email.mailbox),
                }
                inside = {name: [places[name]] for name in types}
        found.append({"id": each, "matchedIds": inside})
    return {"accountId": context.account_id, "list": found, "notFound": missing}
