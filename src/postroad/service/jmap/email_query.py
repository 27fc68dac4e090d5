"""Email/query and Email/queryChanges (RFC 8621 §4.4, RFC 8621 §4.5).

The state of a query is that of the account: whatever changed since may be in other places now, or belong
in or out. With collapsed threads, or conditions on threads, that is all emails of threads that changed.
"""

from collections.abc import Sequence
from typing import Any

from postroad.model import THREAD_FIELDS, Combined, Condition, Sort, SortBy
from postroad.service.jmap.desk import Context
from postroad.service.jmap.email_changes import changes_since
from postroad.service.jmap.email_filter import Where, parse_filter, parse_sort
from postroad.service.jmap.header_filter import MAX_LOOKED_AT, split_filter, with_headers
from postroad.service.jmap.ids import Kind, show
from postroad.service.jmap.lists import Found
from postroad.service.jmap.paging import Page
from postroad.wire.jmap import Arguments, MethodError

DEEP = 1_000
"""Lists of threads that are read further than that are kept whole for the next piece."""

_FIRST_LOOK = 4
"""How many times what is wanted is looked through first for threads to collapse."""

_THREAD_SORTS = (SortBy.ALL_IN_THREAD, SortBy.SOME_IN_THREAD)


async def email_query(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Find emails."""
    context.own_account(arguments)
    given, headers = split_filter(arguments.take("filter"))
    where = parse_filter(context, given)
    sort = parse_sort(arguments.list_of_objects("sort"))
    collapse = arguments.flag("collapseThreads")
    page = Page.take(arguments)
    arguments.done()
    state = await context.state()
    most = context.desk.settings.limits.max_objects_in_get
    needed = page.needed if page.limit is None or page.limit <= most else page.position + most
    if page.limit is None and page.anchor is None and page.position >= 0:
        needed = page.position + most
    emails, total, skipped = context.desk.emails, None, 0
    if headers:
        found = await emails.find(context.number, where, sort, MAX_LOOKED_AT + 1)
        found = await with_headers(context, found, headers)
        found = _collapsed(found) if collapse else found
        total = len(found)
    elif needed is not None and not collapse:
        skipped = page.position
        limit = needed - skipped
        found = await emails.find(context.number, where, sort, limit, skipped)
    elif needed is not None and needed > DEEP:
        key = (context.number, state, where, sort)
        whole = await context.desk.lists.of(key, lambda: find(context, where, sort, True, None))
        skipped, total = page.position, len(whole)
        found = whole[skipped:needed]
    else:
        found = await find(context, where, sort, collapse, needed)
    if page.total and total is None and needed is not None and (skipped or len(found) >= needed):
        total = await emails.count(context.number, where, collapse)
    shown = [show(Kind.EMAIL, email) for email, _ in found]
    return {
        "accountId": context.account_id,
        "queryState": str(state),
        "canCalculateChanges": not headers,
        "collapseThreads": collapse,
        **page.cut(shown, most, total, skipped),
    }


async def find(
    context: Context, where: Where, sort: Sequence[Sort], collapse: bool, needed: int | None
) -> Found:
    """Return the first `needed` results, all where that is None."""
    emails = context.desk.emails
    if not collapse:
        return await emails.find(context.number, where, sort, needed)
    look = None if needed is None else max(64, needed * _FIRST_LOOK)
    while True:
        found = await emails.find(context.number, where, sort, look)
        collapsed = _collapsed(found)
        if needed is None or look is None or len(found) < look or len(collapsed) >= needed:
            return collapsed if needed is None else collapsed[:needed]
        look *= 8


def _collapsed(found: Found) -> Found:
    """Return the first email of each thread."""
    first: dict[int, int] = {}
    for email, thread in found:
        first.setdefault(thread, email)
    return [(email, thread) for thread, email in first.items()]


async def email_query_changes(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Tell what came into the results of a query, and what left them or has another place."""
    context.own_account(arguments)
    given, headers = split_filter(arguments.take("filter"))
    if headers:
        raise MethodError("cannotCalculateChanges", "header fields are looked for anew each time")
    where = parse_filter(context, given)
    sort = parse_sort(arguments.list_of_objects("sort"))
    collapse = arguments.flag("collapseThreads")
    old, limit = arguments.state("sinceQueryState"), arguments.number("maxChanges", 1)
    total = arguments.flag("calculateTotal")
    arguments.text("upToId")  # it would let us tell less; we tell all
    arguments.done()
    now, start, rows = await changes_since(context, old)
    found = await find(context, where, sort, collapse, None) if rows or total else []
    removed = {row.id for row in rows if row.created <= start}
    if collapse or of_threads(where, sort):
        threads = {row.thread for row in rows}
        inside = await context.desk.emails.in_threads(context.number, sorted(threads))
        changed = {email for emails in inside.values() for email in emails}
        fresh = {row.id for row in rows if row.created > start}
        removed |= changed - fresh
    else:
        changed = {row.id for row in rows}
    added = [
        {"id": show(Kind.EMAIL, email), "index": index}
        for index, (email, _) in enumerate(found)
        if email in changed
    ]
    if limit is not None and len(removed) + len(added) > limit:
        raise MethodError("tooManyChanges", "there are more than that")
    response: dict[str, Any] = {
        "accountId": context.account_id,
        "oldQueryState": old,
        "newQueryState": str(now),
        "removed": [show(Kind.EMAIL, email) for email in sorted(removed)],
        "added": added,
    }
    if total:
        response["total"] = len(found)
    return response


def of_threads(where: Where, sort: Sequence[Sort]) -> bool:
    """Whether the place of an email depends on others in its thread."""
    return any(each.by in _THREAD_SORTS for each in sort) or _asks_threads(where)


def _asks_threads(where: Where) -> bool:
    if isinstance(where, Combined):
        return any(_asks_threads(part) for part in where.parts)
    return isinstance(where, Condition) and where.field in THREAD_FIELDS
