"""VacationResponse/get and VacationResponse/set (RFC 8621 §8): what is answered while one is away."""

import hashlib
from typing import Any

import msgspec

from postroad.model import Vacation, VacationSet
from postroad.service.jmap.desk import Context
from postroad.service.jmap.email_filter import parse_date
from postroad.service.jmap.email_get import utc_text
from postroad.service.jmap.standard import (
    SetArguments,
    errors_json,
    get_response,
    wanted_properties,
)
from postroad.wire.jmap import Arguments, MethodError, SetError, patched
from postroad.wire.jmap.errors import invalid

ONLY = "singleton"
MAX_TEXT = 100_000
MAX_SUBJECT = 200
PROPERTIES = ("id", "isEnabled", "fromDate", "toDate", "subject", "textBody", "htmlBody")


def vacation_json(vacation: Vacation) -> dict[str, Any]:
    """Return the VacationResponse object."""
    return {
        "id": ONLY,
        "isEnabled": vacation.enabled,
        "fromDate": None if vacation.from_at is None else utc_text(vacation.from_at),
        "toDate": None if vacation.to_at is None else utc_text(vacation.to_at),
        "subject": vacation.subject,
        "textBody": vacation.text,
        "htmlBody": vacation.html,
    }


def _state(vacation: Vacation) -> str:
    return hashlib.blake2b(msgspec.json.encode(vacation), digest_size=8).hexdigest()


async def vacation_get(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return the one there is."""
    context.own_account(arguments)
    ids = arguments.ids("ids")
    properties = wanted_properties(arguments, PROPERTIES)
    arguments.done()
    vacation = await context.desk.owners.vacation(context.number)
    whole = vacation_json(vacation)
    wanted = [ONLY] if ids is None else list(dict.fromkeys(ids))
    found = [{name: whole[name] for name in properties} for each in wanted if each == ONLY]
    missing = [each for each in wanted if each != ONLY]
    return get_response(context, _state(vacation), found, missing)


async def vacation_set(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Change it. Who was answered before is answered anew then."""
    given = SetArguments(context, arguments)
    arguments.done()
    vacation = await context.desk.owners.vacation(context.number)
    old = _state(vacation)
    given.require_state(old)
    only = SetError("singleton", "there is one, and always is")
    updated: dict[str, Any] = {}
    not_updated: dict[str, SetError] = {}
    for each, patch in given.update.items():
        if each != ONLY:
            not_updated[each] = SetError("notFound", "there is only 'singleton'")
            continue
        try:
            after = _checked(vacation, patch)
        except SetError as error:
            not_updated[each] = error
            continue
        if after != vacation:
            now = context.desk.clock.now()
            await context.desk.commit(VacationSet(now, context.number, after))
            vacation = after
        updated[each] = None
    return {
        "accountId": context.account_id,
        "oldState": old,
        "newState": _state(vacation),
        "created": None,
        "updated": updated or None,
        "destroyed": None,
        "notCreated": errors_json(dict.fromkeys(given.create, only)),
        "notUpdated": errors_json(not_updated),
        "notDestroyed": errors_json(dict.fromkeys(given.destroy, only)),
    }


def _checked(before: Vacation, patch: dict[str, Any]) -> Vacation:
    after = patched(vacation_json(before), patch)
    for name in after:
        if name not in PROPERTIES:
            raise invalid("there is no such property", name[:80])
    if after["id"] != ONLY:
        raise invalid("it stays as it is", "id")
    if not isinstance(after["isEnabled"], bool):
        raise invalid("it has to be true or false", "isEnabled")
    begin, end = (_date(after[name], name) for name in ("fromDate", "toDate"))
    if begin is not None and end is not None and begin >= end:
        raise invalid("it ends before it begins", "toDate")
    return Vacation(
        after["isEnabled"],
        begin,
        end,
        _text(after["subject"], "subject", MAX_SUBJECT),
        _text(after["textBody"], "textBody", MAX_TEXT),
        _text(after["htmlBody"], "htmlBody", MAX_TEXT),
    )


def _date(value: Any, name: str) -> float | None:
    if value is None:
        return None
    try:
        return parse_date(value, name)
    except MethodError as error:
        raise invalid(str(error), name) from None


def _text(value: Any, name: str, most: int) -> str | None:
    if value is None:
        return None
    sound = isinstance(value, str) and len(value) <= most and "\0" not in value
    if not sound or any("\ud800" <= each <= "\udfff" for each in value):
        raise invalid(f"it has to be a text of at most {most} characters", name)
    return str(value)
