"""Email/import and Email/copy (RFC 8621 §4.8, RFC 8621 §4.7)."""

from typing import Any

from postroad.message.header import Header
from postroad.service.jmap.blobs import find_blob, read_raw
from postroad.service.jmap.desk import Context
from postroad.service.jmap.email_set import one_mailbox, parse_keywords, parse_received_at
from postroad.service.jmap.filing import Filing, file_blob, made_json
from postroad.service.jmap.standard import errors_json, may_set
from postroad.wire.jmap import Arguments, MethodError, SetError
from postroad.wire.jmap.errors import invalid

_KNOWN = frozenset(("blobId", "mailboxIds", "keywords", "receivedAt"))
_LOOK_OCTETS = 65_536


async def email_import(context: Context, arguments: Arguments) -> dict[str, Any]:
    """File messages that were uploaded, or are attached to others."""
    context.own_account(arguments)
    if_in_state = arguments.text("ifInState")
    emails = arguments.table("emails")
    arguments.done()
    may_set(context, len(emails))
    old = str(await context.state())
    if if_in_state is not None and if_in_state != old:
        raise MethodError("stateMismatch", "it has changed since")
    created: dict[str, Any] = {}
    not_created: dict[str, SetError] = {}
    for name, given in emails.items():
        try:
            created[name] = await _import(context, name, given)
        except SetError as error:
            not_created[name] = error
    return {
        "accountId": context.account_id,
        "oldState": old,
        "newState": str(await context.state()),
        "created": created or None,
        "notCreated": errors_json(not_created),
    }


async def _import(context: Context, name: str, given: dict[str, Any]) -> dict[str, Any]:
    for unknown in given.keys() - _KNOWN:
        raise invalid(f"there is no {unknown[:80]!r} here", unknown[:80])
    boxes = {box.id: box for box in await context.desk.emails.boxes(context.number)}
    filing = Filing(
        one_mailbox(context, boxes, given.get("mailboxIds")),
        parse_keywords(given.get("keywords")),
        parse_received_at(context, given.get("receivedAt")),
    )
    blob = await find_blob(context, given.get("blobId"))
    if blob is None:
        raise invalid("there is no such blob", "blobId")
    most = context.desk.settings.max_message_octets
    if (blob.size or 0) > most:
        raise SetError("tooLarge", f"a message has at most {most} octets", maxSize=most)
    if blob.size is None:
        raise SetError("invalidEmail", "a message that is in an encoding is not taken out of it")
    begin = blob.part.begin if blob.part else 0
    head = await read_raw(context, blob, begin, begin + min(blob.size, _LOOK_OCTETS))
    if not any(field.name for field in Header.parse(head).fields[:1]):
        raise SetError("invalidEmail", "it does not begin with a header field")
    return made_json(context, name, await file_blob(context, filing, blob))


async def email_copy(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Refuse: a login sees one account, and emails are copied between two."""
    context.own_account(arguments)
    context.own_account(arguments, "fromAccountId")
    raise MethodError("invalidArguments", "emails are copied from one account into another one")
