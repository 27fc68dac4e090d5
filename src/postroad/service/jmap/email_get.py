"""Email/get and Email/parse (RFC 8621 §4.2, RFC 8621 §4.9).

What lists show was noticed when the email came, and is answered without its bytes; these are read where
something else is asked for, one email at a time.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from postroad.mailbox.glance import has_attachment, summarise
from postroad.message.mime import MimeMessage
from postroad.model import unpack_keywords
from postroad.ports import Email
from postroad.service.jmap.blobs import Blob, email_blob, find_blob, read_blob
from postroad.service.jmap.desk import Context
from postroad.service.jmap.email_body import Body, BodyWanted
from postroad.service.jmap.email_properties import (
    CONVENIENT,
    HeaderWanted,
    header_value,
    headers_json,
    parse_header_property,
)
from postroad.service.jmap.ids import Kind, show
from postroad.service.jmap.standard import at_most, get_response
from postroad.wire.jmap import Arguments, MethodError

_METADATA = ("id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt")
_NOTICED = ("hasAttachment", "preview", *CONVENIENT)
_SUMMARY = ("preview", *CONVENIENT)
_OTHERS = (*_METADATA, "hasAttachment")
_BODY = ("bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments")
PROPERTIES = frozenset((*_METADATA, *_NOTICED, *_BODY, "headers"))
_DEFAULT = (
    *_METADATA,
    *CONVENIENT,
    "hasAttachment",
    "preview",
    "bodyValues",
    "textBody",
    "htmlBody",
    "attachments",
)
_PARSED = tuple(name for name in _DEFAULT if name not in _METADATA)
_THREAD_FROM_OCTETS = 262_144  # what is longer is read beside the event loop

# What is only passed on to the client stays as it is written.
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Wanted(Struct, frozen=True):
    """Which properties of emails are wanted."""

    properties: tuple[str, ...]
    headers: tuple[HeaderWanted, ...]
    body: BodyWanted

    @classmethod
    def take(cls, arguments: Arguments, default: Sequence[str]) -> "Wanted":
        """Take the arguments that say so. Raises `MethodError`."""
        given = arguments.texts("properties")
        properties, headers = [], []
        for name in default if given is None else ["id", *given]:
            if name.startswith("header:"):
                headers.append(parse_header_property(name))
            elif name in PROPERTIES:
                properties.append(name)
            else:
                raise MethodError("invalidArguments", f"emails have no property {name[:80]!r}")
        body = BodyWanted.take(arguments)
        unknown = bool(headers) or any(name == "headers" or name in _BODY for name in properties)
        properties = list(dict.fromkeys(properties))
        return cls(
            tuple(properties),
            tuple(headers),
            body,
            unknown,
            tuple(name for name in properties if name in _SUMMARY),
            tuple(name for name in properties if name in _OTHERS),
        )

    needs_bytes: bool
    """Whether something is wanted that was not noticed."""

    noticed: tuple[str, ...]
    """Those that lists show, and beside them the `others` that an email has without its bytes."""

    others: tuple[str, ...]


async def email_get(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return emails."""
    context.own_account(arguments)
    ids = arguments.ids("ids")
    wanted = Wanted.take(arguments, _DEFAULT)
    arguments.done()
    state = await context.state()
    if ids is None:
        raise MethodError("requestTooLarge", "say which emails")
    at_most(context, len(ids))
    numbers = {each: context.read(Kind.EMAIL, each) for each in dict.fromkeys(ids)}
    known = [number for number in numbers.values() if number is not None]
    emails = {each.id: each for each in await context.desk.emails.emails(context.number, known)}
    found, not_found = [], []
    for each, number in numbers.items():
        email = None if number is None else emails.get(number)
        shown = None if email is None else _shown(email, wanted)
        if shown is not None and email is not None and wanted.needs_bytes:
            shown = await _with_bytes(context, email, wanted, shown)
        if shown is None:
            not_found.append(each)
        else:
            found.append(shown)
    return get_response(context, str(state), found, not_found)


def _shown(email: Email, wanted: Wanted) -> dict[str, Any]:
    """Return what was noticed of an email."""
    found: dict[str, Any] = {}
    if wanted.noticed:
        summary = _decode(email.summary)
        found = {name: summary.get(name) for name in wanted.noticed}
    for name in wanted.others:
        found[name] = _metadata(email, name)
    return found


async def _with_bytes(
    context: Context, email: Email, wanted: Wanted, found: dict[str, Any]
) -> dict[str, Any] | None:
    """Return it with what its bytes tell; None where it went meanwhile."""
    whole = email_blob(email.id)
    blob = await find_blob(context, whole)
    if blob is None:
        return None
    message = await read_message(context, blob)
    return found | await _in_place(message, lambda: from_bytes(message, whole, wanted))


def _metadata(email: Email, name: str) -> Any:
    if name == "id":
        return show(Kind.EMAIL, email.id)
    if name == "blobId":
        return email_blob(email.id)
    if name == "threadId":
        return show(Kind.THREAD, email.thread)
    if name == "mailboxIds":
        return {show(Kind.MAILBOX, email.mailbox): True}
    if name == "keywords":
        return dict.fromkeys(sorted(unpack_keywords(email.flags, email.keywords)), True)
    if name == "hasAttachment":
        return email.attachment
    return email.size if name == "size" else utc_text(email.received_at)


def utc_text(at: float) -> str:
    """Return a UTCDate (RFC 8620 §1.4)."""
    moment = datetime.fromtimestamp(int(at), UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


async def read_message(context: Context, blob: Blob) -> MimeMessage:
    """Read a whole message and its structure. Raises `StorageError`."""
    data = await read_blob(context, blob, context.desk.settings.max_message_octets)
    if len(data) > _THREAD_FROM_OCTETS:
        return await asyncio.to_thread(MimeMessage, data)
    return MimeMessage(data)


async def _in_place(message: MimeMessage, work: Any) -> dict[str, Any]:
    if len(message.data) > _THREAD_FROM_OCTETS:
        found: dict[str, Any] = await asyncio.to_thread(work)
        return found
    result: dict[str, Any] = work()
    return result


def from_bytes(message: MimeMessage, whole: str, wanted: Wanted) -> dict[str, Any]:
    """Return those properties that come from the bytes of the message alone."""
    found: dict[str, Any] = {}
    body = Body(message, whole, wanted.body)
    parts = {
        "bodyStructure": body.structure,
        "bodyValues": body.values,
        "textBody": body.texts,
        "htmlBody": body.htmls,
        "attachments": body.attachments,
    }
    for name in wanted.properties:
        if name == "headers":
            found[name] = headers_json(message, message.root)
        elif name in parts:
            found[name] = parts[name]()
    fields = message.fields() if wanted.headers else []
    for header in wanted.headers:
        found[header.property] = header_value(header, fields)
    return found


async def email_parse(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return the properties of messages that are blobs: attached ones, uploads."""
    context.own_account(arguments)
    ids = arguments.ids("blobIds") or []
    wanted = Wanted.take(arguments, _PARSED)
    arguments.done()
    at_most(context, len(ids))
    parsed: dict[str, Any] = {}
    not_found, not_parsable = [], []
    for each in dict.fromkeys(ids):
        blob = await find_blob(context, each)
        if blob is None:
            not_found.append(each)
            continue
        message = await read_message(context, blob)
        if not message.fields():
            not_parsable.append(each)
            continue
        whole = each if blob.part is None else ""
        parsed[each] = await _in_place(message, lambda m=message, w=whole: _parse(m, w, wanted))
    return {
        "accountId": context.account_id,
        "parsed": parsed or None,
        "notParsable": not_parsable or None,
        "notFound": not_found or None,
    }


def _parse(message: MimeMessage, whole: str, wanted: Wanted) -> dict[str, Any]:
    found: dict[str, Any] = {}
    summary, _ = summarise(message)
    for name in wanted.properties:
        if name in ("id", "threadId", "mailboxIds", "keywords", "receivedAt"):
            found[name] = None
        elif name == "blobId":
            found[name] = whole or None
        elif name == "size":
            found[name] = len(message.data)
        elif name == "hasAttachment":
            found[name] = has_attachment(message)
        elif name in _NOTICED:
            found[name] = summary[name]
    return found | from_bytes(message, whole, wanted)
