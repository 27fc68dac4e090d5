"""Mailbox/get, Mailbox/changes, Mailbox/query, Mailbox/queryChanges (RFC 8621 §2)."""

from collections.abc import Mapping
from typing import Any

from postroad.model import INBOX
from postroad.ports import Box, Counts
from postroad.service.jmap.changing import Changed, portion
from postroad.service.jmap.desk import Context
from postroad.service.jmap.ids import Kind, read, show
from postroad.service.jmap.paging import Page
from postroad.service.jmap.standard import (
    at_most,
    changes_response,
    get_response,
    since,
    wanted_properties,
)
from postroad.wire.jmap import Arguments, MethodError

ROLES = {
    INBOX: "inbox",
    "Archive": "archive",
    "Drafts": "drafts",
    "Junk": "junk",
    "Sent": "sent",
    "Trash": "trash",
}
"""Roles by the names of mailboxes (RFC 8621 §2, RFC 6154 §2)."""

_SHOWN = {INBOX: "Inbox"}
_ORDER = {"inbox": 1, "drafts": 2, "sent": 3, "archive": 4, "junk": 5, "trash": 6}
_COUNTS = ("totalEmails", "unreadEmails", "totalThreads", "unreadThreads")
PROPERTIES = (
    "id",
    "name",
    "parentId",
    "role",
    "sortOrder",
    *_COUNTS,
    "myRights",
    "isSubscribed",
)


class Boxes:
    """The mailboxes of an account with their places in the hierarchy."""

    def __init__(self, boxes: list[Box], counts: Mapping[int, Counts]) -> None:
        self.by_id = {box.id: box for box in boxes}
        self._by_name = {box.name: box for box in boxes}
        self._counts = counts

    def parent(self, box: Box) -> Box | None:
        """Return the mailbox above, None where it is at the top."""
        above, slash, _ = box.name.rpartition("/")
        return self._by_name.get(above) if slash else None

    def children(self, box: Box) -> list[Box]:
        """Return the mailboxes right below."""
        return [each for each in self.by_id.values() if self.parent(each) is box]

    def name(self, box: Box) -> str:
        """Return its own name, without those of mailboxes above it."""
        parent = self.parent(box)
        if parent is None:
            return _SHOWN.get(box.name, box.name)
        return box.name[len(parent.name) + 1 :]

    def order(self, box: Box) -> int:
        """Return its place in lists."""
        return box.sort_order or _ORDER.get(ROLES.get(box.name, ""), 10)

    def to_json(self, box: Box) -> dict[str, Any]:
        """Return the Mailbox object."""
        parent, role = self.parent(box), ROLES.get(box.name)
        counts = self._counts.get(box.id, Counts())
        own = role is None
        rights = dict.fromkeys(
            (
                "mayReadItems",
                "mayAddItems",
                "mayRemoveItems",
                "maySetSeen",
                "maySetKeywords",
                "mayCreateChild",
                "maySubmit",
            ),
            True,
        )
        return {
            "id": show(Kind.MAILBOX, box.id),
            "name": self.name(box),
            "parentId": None if parent is None else show(Kind.MAILBOX, parent.id),
            "role": role,
            "sortOrder": self.order(box),
            "totalEmails": counts.emails,
            "unreadEmails": counts.unread,
            "totalThreads": counts.threads,
            "unreadThreads": counts.unread_threads,
            "myRights": {**rights, "mayRename": own, "mayDelete": own},
            "isSubscribed": box.subscribed,
        }


async def boxes_of(context: Context, state: int, counted: bool = True) -> Boxes:
    """Return the account's mailboxes as of a state; the counts only where they are needed."""
    desk = context.desk
    counts = await desk.counts.of(context.number, state) if counted else {}
    return Boxes(await desk.emails.boxes(context.number), counts)


async def mailbox_get(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return mailboxes with what is in them."""
    context.own_account(arguments)
    ids = arguments.ids("ids")
    properties = wanted_properties(arguments, PROPERTIES)
    arguments.done()
    state = await context.state()
    boxes = await boxes_of(context, state, any(name in _COUNTS for name in properties))
    if ids is None:
        ids = [show(Kind.MAILBOX, number) for number in boxes.by_id]
    at_most(context, len(ids))
    found, not_found = [], []
    for each in dict.fromkeys(ids):
        number = context.read(Kind.MAILBOX, each)
        box = None if number is None else boxes.by_id.get(number)
        if box is None:
            not_found.append(each)
        else:
            whole = boxes.to_json(box)
            found.append({name: whole[name] for name in properties})
    return get_response(context, str(state), found, not_found)


async def mailbox_changes(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Tell which mailboxes changed, and whether only what is in them did."""
    context.own_account(arguments)
    old, limit = arguments.state("sinceState"), arguments.number("maxChanges", 1)
    arguments.done()
    now = await context.state()
    emails = context.desk.emails
    start = since(old, now, (await emails.state(context.number)).known_since)
    boxes = await emails.boxes(context.number)
    gone = await emails.boxes_gone(context.number, start)
    changes = [Changed(box.id, box.made, max(box.changed, box.counted)) for box in boxes]
    changes += [Changed(each.id, each.made, each.gone, each.gone) for each in gone]
    told = portion(changes, start, now, limit)
    by_id = {box.id: box for box in boxes}
    only_counts = all(by_id[number].changed <= start for number in told.updated)
    response = changes_response(context, Kind.MAILBOX, old, told)
    response["updatedProperties"] = list(_COUNTS) if told.updated and only_counts else None
    return response


_CONDITIONS = ("parentId", "name", "role", "hasAnyRole", "isSubscribed")
_SORTS = ("sortOrder", "name", "parentId")


async def mailbox_query(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Find mailboxes."""
    context.own_account(arguments)
    where, sort = arguments.objects("filter"), arguments.list_of_objects("sort") or []
    as_tree, filter_as_tree = arguments.flag("sortAsTree"), arguments.flag("filterAsTree")
    page = Page.take(arguments)
    arguments.done()
    state = await context.state()
    found = await _query(context, state, where, sort, as_tree, filter_as_tree)
    shown = [show(Kind.MAILBOX, box.id) for box in found]
    return {
        "accountId": context.account_id,
        "queryState": str(state),
        "canCalculateChanges": False,
        **page.cut(shown, context.desk.settings.limits.max_objects_in_get),
    }


async def mailbox_query_changes(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Tell that nothing changed, or that it cannot be told what did."""
    context.own_account(arguments)
    old = arguments.state("sinceQueryState")
    for name in ("filter", "sort", "sortAsTree", "filterAsTree", "maxChanges", "upToId"):
        arguments.take(name)
    total = arguments.flag("calculateTotal")
    arguments.done()
    state = str(await context.state())
    if old != state or total:
        raise MethodError("cannotCalculateChanges", "ask for the whole list: it is short")
    return {
        "accountId": context.account_id,
        "oldQueryState": state,
        "newQueryState": state,
        "removed": [],
        "added": [],
    }


async def _query(
    context: Context,
    state: int,
    where: dict[str, Any] | None,
    sort: list[dict[str, Any]],
    as_tree: bool,
    filter_as_tree: bool,
) -> list[Box]:
    boxes = await boxes_of(context, state, counted=False)
    keep = {box.id for box in boxes.by_id.values() if _fits(boxes, box, where)}
    if filter_as_tree:
        for box in sorted(boxes.by_id.values(), key=lambda each: each.name.count("/")):
            parent = boxes.parent(box)
            if parent is not None and parent.id not in keep:
                keep.discard(box.id)
    ordered = sorted(boxes.by_id.values(), key=lambda box: box.id)
    for criterion in reversed(sort):
        name = criterion.get("property")
        if name not in _SORTS:
            raise MethodError("unsupportedSort", f"mailboxes are not sorted by {str(name)[:80]!r}")
        ordered.sort(key=_sort_key(boxes, str(name)), reverse=criterion.get("isAscending") is False)
    if as_tree:
        ordered = list(_tree(boxes, ordered, None))
    return [box for box in ordered if box.id in keep]


def _tree(boxes: Boxes, ordered: list[Box], parent: Box | None) -> list[Box]:
    found = []
    for box in ordered:
        if boxes.parent(box) is parent:
            found += [box, *_tree(boxes, ordered, box)]
    return found


def _sort_key(boxes: Boxes, name: str) -> Any:
    if name == "sortOrder":
        return boxes.order
    if name == "name":
        return lambda box: boxes.name(box).casefold()
    return lambda box: 0 if (parent := boxes.parent(box)) is None else parent.id


def _fits(boxes: Boxes, box: Box, where: dict[str, Any] | None) -> bool:
    if where is None:
        return True
    if "operator" in where:
        parts = where.get("conditions")
        operator = where["operator"]
        if not isinstance(parts, list) or operator not in ("AND", "OR", "NOT"):
            raise MethodError("unsupportedFilter", "this is no filter")
        fit = [_fits(boxes, box, part) for part in parts]
        return all(fit) if operator == "AND" else any(fit) == (operator == "OR")
    for name, value in where.items():
        if name not in _CONDITIONS:
            raise MethodError("unsupportedFilter", f"there is no condition {name[:80]!r}")
        if not _holds(boxes, box, name, value):
            return False
    return True


def _holds(boxes: Boxes, box: Box, name: str, value: Any) -> bool:
    role = ROLES.get(box.name)
    if name == "parentId":
        parent = boxes.parent(box)
        return (None if parent is None else parent.id) == (
            None if value is None else read(Kind.MAILBOX, value) or -1
        )
    if name == "name":
        return str(value).casefold() in boxes.name(box).casefold()
    if name == "role":
        return bool(role == value)
    if name == "hasAnyRole":
        return bool((role is not None) is value)
    return bool(box.subscribed is value)
