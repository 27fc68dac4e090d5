"""Thread/get and Thread/changes (RFC 8621 §3)."""

from typing import Any

from postroad.service.jmap.changing import Portion
from postroad.service.jmap.desk import Context
from postroad.service.jmap.email_changes import changes_since
from postroad.service.jmap.ids import Kind, show
from postroad.service.jmap.standard import (
    at_most,
    changes_response,
    get_response,
    wanted_properties,
)
from postroad.wire.jmap import Arguments, MethodError


async def thread_get(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return threads: their emails, the first received first."""
    context.own_account(arguments)
    ids = arguments.ids("ids")
    properties = wanted_properties(arguments, ("id", "emailIds"))
    arguments.done()
    state = await context.state()
    if ids is None:
        raise MethodError("requestTooLarge", "say which threads")
    at_most(context, len(ids))
    numbers = {each: context.read(Kind.THREAD, each) for each in dict.fromkeys(ids)}
    known = [number for number in numbers.values() if number is not None]
    emails = await context.desk.emails.in_threads(context.number, known)
    found, not_found = [], []
    for each, number in numbers.items():
        inside = None if number is None else emails.get(number)
        if inside is None:
            not_found.append(each)
            continue
        whole = {"id": each, "emailIds": [show(Kind.EMAIL, email) for email in inside]}
        found.append({name: whole[name] for name in properties})
    return get_response(context, str(state), found, not_found)


async def thread_changes(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Tell which threads began, got or lost emails, and ended."""
    context.own_account(arguments)
    old, limit = arguments.state("sinceState"), arguments.number("maxChanges", 1)
    arguments.done()
    now, start, rows = await changes_since(context, old)
    before = {row.thread for row in rows if row.created <= start}
    came = {row.thread for row in rows if row.created > start and not row.gone}
    went = {row.thread for row in rows if row.created <= start and row.gone}
    emails = await context.desk.emails.in_threads(context.number, sorted(came | went))
    known = {row.id for row in rows}
    created, updated, destroyed = [], [], []
    for thread in sorted(came | went):
        inside = emails.get(thread)
        if not inside:
            destroyed.append(thread)
        elif thread in before or any(email not in known for email in inside):
            updated.append(thread)
        else:
            created.append(thread)
    if limit is not None and len(created) + len(updated) + len(destroyed) > limit:
        raise MethodError("cannotCalculateChanges", "there are more than can be told one by one")
    told = Portion(tuple(created), tuple(updated), tuple(destroyed), now, False)
    return changes_response(context, Kind.THREAD, old, told)
