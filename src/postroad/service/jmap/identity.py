"""Identity/get, Identity/changes and Identity/set (RFC 8621 §6).

Each account has one identity for its own address, which stays; others are for addresses that lead to it.
"""

import hashlib
from typing import Any

import msgspec

from postroad.model import (
    Address,
    Identity,
    IdentityKept,
    IdentityRemoved,
    InvalidAddress,
    Reply,
)
from postroad.service.jmap.desk import Context
from postroad.service.jmap.ids import Kind, show
from postroad.service.jmap.standard import (
    SetArguments,
    SetWork,
    at_most,
    get_response,
    wanted_properties,
)
from postroad.wire.jmap import Arguments, MethodError, SetError, patched
from postroad.wire.jmap.errors import invalid

MAX_IDENTITIES = 100
MAX_SIGNATURE = 100_000
_TEXTS = {"name": 500, "textSignature": MAX_SIGNATURE, "htmlSignature": MAX_SIGNATURE}
PROPERTIES = (
    "id",
    "name",
    "email",
    "replyTo",
    "bcc",
    "textSignature",
    "htmlSignature",
    "mayDelete",
)


async def identities_of(context: Context) -> list[Identity]:
    """Return the identities of the account, that of its own address first."""
    kept = await context.desk.emails.identities(context.number)
    first = next((each for each in kept if each.id == context.number), None)
    if first is None:
        first = Identity(context.number, context.number, "", str(context.address))
    return [first, *(each for each in kept if each.id != context.number)]


def identity_json(context: Context, identity: Identity) -> dict[str, Any]:
    """Return the Identity object."""
    return {
        "id": show(Kind.IDENTITY, identity.id),
        "name": identity.name,
        "email": identity.email,
        "replyTo": msgspec.json.decode(identity.reply_to) if identity.reply_to else None,
        "bcc": msgspec.json.decode(identity.bcc) if identity.bcc else None,
        "textSignature": identity.text_signature,
        "htmlSignature": identity.html_signature,
        "mayDelete": identity.id != context.number,
    }


def _state(identities: list[Identity]) -> str:
    return hashlib.blake2b(msgspec.json.encode(identities), digest_size=8).hexdigest()


async def identity_get(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return identities."""
    context.own_account(arguments)
    ids = arguments.ids("ids")
    properties = wanted_properties(arguments, PROPERTIES)
    arguments.done()
    known = await identities_of(context)
    by_id = {show(Kind.IDENTITY, each.id): each for each in known}
    wanted = list(by_id) if ids is None else list(dict.fromkeys(ids))
    at_most(context, len(wanted))
    found, not_found = [], []
    for each in wanted:
        identity = by_id.get(str(context.meant(each)))
        if identity is None:
            not_found.append(each)
        else:
            whole = identity_json(context, identity)
            found.append({name: whole[name] for name in properties})
    return get_response(context, _state(known), found, not_found)


async def identity_changes(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Tell that nothing changed, or that it is not known what did: identities are few."""
    context.own_account(arguments)
    old = arguments.state("sinceState")
    arguments.number("maxChanges", 1)
    arguments.done()
    if old != _state(await identities_of(context)):
        raise MethodError("cannotCalculateChanges", "ask for all of them: they are few")
    return {
        "accountId": context.account_id,
        "oldState": old,
        "newState": old,
        "hasMoreChanges": False,
        "created": [],
        "updated": [],
        "destroyed": [],
    }


async def identity_set(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Make, change and destroy identities."""
    given = SetArguments(context, arguments)
    arguments.done()
    known = await identities_of(context)
    old = _state(known)
    given.require_state(old)
    work = SetWork(context, Kind.IDENTITY)
    for name, properties in given.create.items():
        try:
            if len(await identities_of(context)) >= MAX_IDENTITIES:
                raise SetError("overQuota", f"at most {MAX_IDENTITIES} identities")
            await _create(work, name, properties)
        except SetError as error:
            work.not_created[name] = error
    for each, patch in given.update.items():
        try:
            await _update(work, each, patch)
        except SetError as error:
            work.not_updated[each] = error
    for each in given.destroy:
        try:
            await _destroy(work, each)
        except SetError as error:
            work.not_destroyed[each] = error
    return work.response(old, _state(await identities_of(context)))


async def _create(work: SetWork, name: str, given: dict[str, Any]) -> None:
    context = work.context
    number = context.desk.entropy.id()
    identity = _checked(context, number, {"name": "", "replyTo": None, "bcc": None, **given})
    if not await is_own(context, identity.email):
        raise SetError("forbiddenFrom", "that address does not lead to this account", ("email",))
    await context.desk.commit(IdentityKept(context.desk.clock.now(), identity))
    work.made(name, number, mayDelete=True)


async def _update(work: SetWork, each: str, patch: dict[str, Any]) -> None:
    context = work.context
    identity = await _found(context, each)
    before = identity_json(context, identity)
    after = patched(before, patch)
    for fixed in ("id", "email", "mayDelete"):
        if after[fixed] != before[fixed]:
            raise invalid("it stays as it is", fixed)
    given = {name: value for name, value in after.items() if name not in ("id", "mayDelete")}
    changed = _checked(context, identity.id, given)
    await context.desk.commit(IdentityKept(context.desk.clock.now(), changed))
    work.updated[each] = None


async def _destroy(work: SetWork, each: str) -> None:
    context = work.context
    identity = await _found(context, each)
    if identity.id == context.number:
        raise SetError("forbidden", "the identity of the account's own address stays")
    now = context.desk.clock.now()
    await context.desk.commit(IdentityRemoved(now, context.number, identity.id))
    work.destroyed.append(each)


async def _found(context: Context, each: str) -> Identity:
    number = context.read(Kind.IDENTITY, each)
    for identity in await identities_of(context):
        if identity.id == number:
            return identity
    raise SetError("notFound", "there is no such identity")


def _checked(context: Context, number: int, given: dict[str, Any]) -> Identity:
    for name in given:
        if name not in PROPERTIES or name in ("id", "mayDelete"):
            raise invalid("there is no such property, or the server sets it", name[:80])
    texts = {}
    for name, most in _TEXTS.items():
        text = given.get(name) or ""
        if not isinstance(text, str) or len(text) > most:
            raise invalid(f"it has to be a text of at most {most} characters", name)
        texts[name] = text
    email = given.get("email")
    if not isinstance(email, str):
        raise invalid("an identity has an address", "email")
    return Identity(
        number,
        context.number,
        texts["name"],
        email,
        _addresses(given.get("replyTo"), "replyTo"),
        _addresses(given.get("bcc"), "bcc"),
        texts["textSignature"],
        texts["htmlSignature"],
    )


def _addresses(given: Any, name: str) -> str:
    if given is None:
        return ""
    sound = isinstance(given, list) and all(
        isinstance(each, dict) and isinstance(each.get("email"), str) for each in given
    )
    data = msgspec.json.encode(given).decode() if sound else ""
    if not sound or len(data) > MAX_SIGNATURE:
        raise invalid("it has to be a list of addresses", name)
    return data


async def is_own(context: Context, text: str) -> bool:
    """Whether an address leads to the account, so that it may write as that one."""
    try:
        address = Address.parse(text)
    except InvalidAddress:
        return False
    if address.folded == context.address.folded:
        return True
    targets = await context.desk.recipients.resolve(address)
    return not isinstance(targets, Reply) and any(
        target.mailbox == context.account.inbox for target in targets
    )
