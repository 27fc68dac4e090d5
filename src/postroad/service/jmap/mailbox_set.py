"""Mailbox/set (RFC 8621 §2.5): own mailboxes are made, renamed, moved and destroyed.

The hierarchy is in the names, as IMAP has it: what is below a mailbox is renamed with it. Mailboxes with
a role have their names for good.
"""

from collections.abc import Mapping
from typing import Any

from postroad.model import (
    Change,
    InvalidMailboxName,
    Mailbox,
    MailboxAdded,
    MailboxChanged,
    MailboxRemoved,
    parse_mailbox_name,
    uid_validity,
)
from postroad.ports import Box, Conflict
from postroad.service.jmap.desk import Context
from postroad.service.jmap.ids import Kind
from postroad.service.jmap.mailbox_get import PROPERTIES, ROLES, Boxes, boxes_of
from postroad.service.jmap.standard import SetArguments, SetWork
from postroad.wire.jmap import Arguments, SetError, patched
from postroad.wire.jmap.arguments import is_number
from postroad.wire.jmap.errors import invalid

MAX_DEPTH = 10
MAX_SORT_ORDER = 2**31 - 1
_SETTABLE = ("name", "parentId", "role", "sortOrder", "isSubscribed")


async def mailbox_set(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Make, change and destroy mailboxes."""
    given = SetArguments(context, arguments)
    with_emails = arguments.flag("onDestroyRemoveEmails")
    arguments.done()
    state = await context.state()
    given.require_state(str(state))
    work = SetWork(context, Kind.MAILBOX)
    for name, properties in _in_order(given.create):
        try:
            await _create(work, name, properties)
        except (SetError, Conflict) as error:
            work.not_created[name] = _as_set_error(error)
    for each, patch in given.update.items():
        try:
            await _update(work, each, patch)
        except (SetError, Conflict) as error:
            work.not_updated[each] = _as_set_error(error)
    for each in dict.fromkeys(given.destroy):
        try:
            await _destroy(work, each, with_emails)
        except (SetError, Conflict) as error:
            work.not_destroyed[each] = _as_set_error(error)
    return work.response(str(state), str(await context.state()))


def _as_set_error(error: SetError | Conflict) -> SetError:
    return error if isinstance(error, SetError) else invalid(str(error), "name")


def _in_order(create: Mapping[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Parents are made before what is below them, whatever their order."""
    left = dict(create)
    ordered: list[tuple[str, dict[str, Any]]] = []
    while left:
        ready = [
            name
            for name, given in left.items()
            if not (isinstance(above := given.get("parentId"), str) and above[1:] in left)
            or not str(above).startswith("#")
        ]
        ordered += [(name, left.pop(name)) for name in ready or list(left)]
    return ordered


async def _boxes(context: Context) -> Boxes:
    return await boxes_of(context, await context.state(), counted=False)


async def _create(work: SetWork, name: str, given: dict[str, Any]) -> None:
    context = work.context
    boxes = await _boxes(context)
    _known(given)
    if len(boxes.by_id) >= context.desk.settings.max_mailboxes:
        raise SetError("overQuota", f"at most {context.desk.settings.max_mailboxes} mailboxes")
    full = _full_name(context, boxes, given.get("name"), given.get("parentId"), None)
    if given.get("role") is not None and given["role"] != ROLES.get(full):
        raise invalid("a role comes with the name", "role")
    order, subscribed = _place(given, 0, True)
    now = context.desk.clock.now()
    mailbox = Mailbox(context.desk.entropy.id(), context.number, full, uid_validity(now))
    changes: list[Change] = [MailboxAdded(now, mailbox)]
    if (order, subscribed) != (0, True):
        changes.append(MailboxChanged(now, mailbox.id, full, order, subscribed))
    await context.desk.commit(*changes)
    after = await _boxes(context)
    work.made(name, mailbox.id)
    whole = after.to_json(after.by_id[mailbox.id])
    work.created[name] = {key: value for key, value in whole.items() if key not in given}


async def _update(work: SetWork, each: str, patch: dict[str, Any]) -> None:
    context = work.context
    boxes = await _boxes(context)
    box = _found(context, boxes, each)
    before = boxes.to_json(box)
    after = patched(before, patch)
    for name in after:
        if name not in PROPERTIES:
            raise invalid(f"mailboxes have no property {name[:80]!r}", name[:80])
        if name not in _SETTABLE and after[name] != before[name]:
            raise invalid("the server sets it", name)
    name_after = after.get("name")
    parent_after = after.get("parentId")
    moved = (name_after, parent_after) != (before["name"], before["parentId"])
    if (moved or after.get("role") != before["role"]) and box.name in ROLES:
        raise SetError("forbidden", "a mailbox with a role has its name and place for good")
    if after.get("role") != before["role"]:
        raise invalid("a role comes with the name", "role")
    full = _full_name(context, boxes, name_after, parent_after, box) if moved else box.name
    order, subscribed = _place(after, box.sort_order, box.subscribed)
    if order == before["sortOrder"]:
        order = box.sort_order
    now = context.desk.clock.now()
    changes: list[Change] = [MailboxChanged(now, box.id, full, order, subscribed)]
    if full != box.name:
        changes += [
            MailboxChanged(
                now,
                below.id,
                _checked(full + below.name[len(box.name) :]),
                below.sort_order,
                below.subscribed,
            )
            for below in boxes.by_id.values()
            if below.name.startswith(f"{box.name}/")
        ]
    await context.desk.commit(*changes)
    work.updated[each] = None


async def _destroy(work: SetWork, each: str, with_emails: bool) -> None:
    context = work.context
    boxes = await _boxes(context)
    box = _found(context, boxes, each)
    if box.name in ROLES:
        raise SetError("forbidden", "a mailbox with a role stays")
    if boxes.children(box):
        raise SetError("mailboxHasChild", "there are mailboxes below it")
    counts = await context.desk.counts.of(context.number, await context.state())
    if box.id in counts and not with_emails:
        raise SetError("mailboxHasEmail", "there are emails in it")
    now = context.desk.clock.now()
    await context.desk.commit(MailboxRemoved(now, box.id, with_emails))
    work.destroyed.append(each)


def _found(context: Context, boxes: Boxes, each: str) -> Box:
    number = context.read(Kind.MAILBOX, each)
    box = None if number is None else boxes.by_id.get(number)
    if box is None:
        raise SetError("notFound", "there is no such mailbox")
    return box


def _known(given: dict[str, Any]) -> None:
    for name in given:
        if name not in _SETTABLE:
            raise invalid("the server sets it, or there is no such property", name[:80])


def _place(given: dict[str, Any], order: int, subscribed: bool) -> tuple[int, bool]:
    order = given.get("sortOrder", order)
    subscribed = given.get("isSubscribed", subscribed)
    if not is_number(order) or order > MAX_SORT_ORDER:
        raise invalid(f"it has to be a whole number up to {MAX_SORT_ORDER}", "sortOrder")
    if not isinstance(subscribed, bool):
        raise invalid("it has to be true or false", "isSubscribed")
    return order, subscribed


def _full_name(context: Context, boxes: Boxes, name: Any, parent: Any, itself: Box | None) -> str:
    if not isinstance(name, str) or "/" in name:
        raise invalid("the name of a mailbox is a text without /", "name")
    full = name
    if parent is not None:
        number = context.read(Kind.MAILBOX, parent)
        above = None if number is None else boxes.by_id.get(number)
        if above is None:
            raise invalid("there is no such mailbox", "parentId")
        if itself is not None and f"{above.name}/".startswith(f"{itself.name}/"):
            raise invalid("a mailbox is not below itself", "parentId")
        full = f"{above.name}/{name}"
    if full.count("/") >= MAX_DEPTH:
        raise invalid(f"mailboxes lie at most {MAX_DEPTH} deep in each other", "parentId")
    full = _checked(full)
    if any(box.name == full and box is not itself for box in boxes.by_id.values()):
        raise invalid("there is a mailbox of that name in the same place", "name")
    if full == "INBOX" or (itself is not None and full in ROLES):
        raise invalid("that name is taken by a mailbox with a role", "name")
    return full


def _checked(full: str) -> str:
    try:
        return parse_mailbox_name(full)
    except InvalidMailboxName as error:
        raise invalid(str(error), "name") from None
