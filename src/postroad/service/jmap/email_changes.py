"""Email/changes (RFC 8621 §4.3), and what else is told from what changed."""

from typing import Any

from postroad.ports import EmailChange
from postroad.service.jmap.changing import Changed, portion
from postroad.service.jmap.desk import Context
from postroad.service.jmap.ids import Kind
from postroad.service.jmap.standard import changes_response, since
from postroad.wire.jmap import Arguments, MethodError

MAX_CHANGES = 50_000
"""Changes that are told one by one; a client that missed more asks for everything anew."""


async def changes_since(context: Context, old: str) -> tuple[int, int, list[EmailChange]]:
    """Return the state now, the one that `old` means, and what changed between them.

    Raises `MethodError`, ``cannotCalculateChanges``.
    """
    now = await context.state()
    emails = context.desk.emails
    start = since(old, now, (await emails.state(context.number)).known_since)
    rows = await emails.changes(context.number, start, MAX_CHANGES + 1)
    if len(rows) > MAX_CHANGES:
        raise MethodError("cannotCalculateChanges", "too much has changed since then")
    return now, start, rows


async def email_changes(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Tell which emails came, changed and went."""
    context.own_account(arguments)
    old, limit = arguments.state("sinceState"), arguments.number("maxChanges", 1)
    arguments.done()
    now, start, rows = await changes_since(context, old)
    changes = (
        Changed(row.id, row.created, row.changed, row.changed if row.gone else None) for row in rows
    )
    told = portion(changes, start, now, limit)
    return changes_response(context, Kind.EMAIL, old, told)
