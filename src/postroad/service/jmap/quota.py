"""Quota/get, Quota/changes, Quota/query and Quota/queryChanges (RFC 9425 §4): how much mail the account
has and may have. There is a quota for what is limited, by octets or by messages, and none for the rest.

The state is made of limits and usage, so what changed since is told from the state itself.
"""

from typing import Any

from msgspec import Struct

from postroad.model import Quota
from postroad.service.jmap.desk import Context
from postroad.service.jmap.paging import Page
from postroad.service.jmap.standard import get_response, wanted_properties
from postroad.wire.jmap import Arguments, MethodError

PROPERTIES = (
    "id",
    "resourceType",
    "used",
    "hardLimit",
    "warnLimit",
    "softLimit",
    "scope",
    "name",
    "description",
    "types",
)
_NUMBERS = {"octets": "1", "count": "2"}
_NAMES = {"octets": "Mail, in octets", "count": "Mail, in messages"}
_CONDITIONS = ("name", "scope", "resourceType", "type")
_SORTS = ("name", "used")
_MAX_DIGITS = 18


class _Standing(Struct, frozen=True):
    """Limits (0: none) and usage, by octets and by messages; as a state, four numbers."""

    limits: tuple[int, int]
    used: tuple[int, int]

    def state(self) -> str:
        return "-".join(str(number) for number in (*self.limits, *self.used))

    @classmethod
    def read(cls, state: str) -> "_Standing | None":
        parts = state.split("-")
        sound = all(each.isascii() and each.isdigit() for each in parts)
        if len(parts) != 4 or not sound or max(map(len, parts)) > _MAX_DIGITS:
            return None
        numbers = [int(part) for part in parts]
        return cls((numbers[0], numbers[1]), (numbers[2], numbers[3]))

    def ids(self) -> list[str]:
        return [id for id, limit in zip(_NUMBERS.values(), self.limits, strict=True) if limit]


async def _standing(context: Context) -> _Standing:
    quotas, inbox = context.desk.quotas, context.account.inbox
    quota = Quota() if quotas is None else quotas.of(inbox)
    if quotas is None or not quota:
        return _Standing((0, 0), (0, 0))
    usage = await quotas.usage(inbox, 0.0)
    limits = (quota.octets or 0, quota.messages or 0)
    return _Standing(limits, (usage.octets, usage.messages))


def _objects(standing: _Standing) -> dict[str, dict[str, Any]]:
    found = {}
    for place, (kind, number) in enumerate(_NUMBERS.items()):
        if standing.limits[place]:
            found[number] = {
                "id": number,
                "resourceType": kind,
                "used": standing.used[place],
                "hardLimit": standing.limits[place],
                "warnLimit": None,
                "softLimit": None,
                "scope": "account",
                "name": _NAMES[kind],
                "description": None,
                "types": ["Email"],
            }
    return found


async def quota_get(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return quotas."""
    context.own_account(arguments)
    ids = arguments.ids("ids")
    properties = wanted_properties(arguments, PROPERTIES)
    arguments.done()
    standing = await _standing(context)
    known = _objects(standing)
    wanted = list(known) if ids is None else list(dict.fromkeys(ids))
    found = [{name: known[each][name] for name in properties} for each in wanted if each in known]
    missing = [each for each in wanted if each not in known]
    return get_response(context, standing.state(), found, missing)


async def quota_changes(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Tell which quotas came, changed and went, and whether only what is used did (RFC 9425 §4.2)."""
    context.own_account(arguments)
    old = arguments.state("sinceState")
    arguments.number("maxChanges", 1)  # there are two quotas at most, which come together
    arguments.done()
    before, now = _Standing.read(old), await _standing(context)
    if before is None:
        raise MethodError("cannotCalculateChanges", "that is no state of quotas")
    had, has = before.ids(), now.ids()
    both = [each for each in has if each in had]
    only_used = before.limits == now.limits
    updated = [each for each in both if _part(before, each) != _part(now, each)]
    return {
        "accountId": context.account_id,
        "oldState": old,
        "newState": now.state(),
        "hasMoreChanges": False,
        "created": [each for each in has if each not in had],
        "updated": updated,
        "destroyed": [each for each in had if each not in has],
        "updatedProperties": ["used"] if updated and only_used else None,
    }


def _part(standing: _Standing, number: str) -> tuple[int, int]:
    place = list(_NUMBERS.values()).index(number)
    return standing.limits[place], standing.used[place]


async def quota_query(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Find quotas."""
    context.own_account(arguments)
    found = _found(arguments, standing := await _standing(context))
    page = Page.take(arguments)
    arguments.done()
    most = context.desk.settings.limits.max_objects_in_get
    return {
        "accountId": context.account_id,
        "queryState": standing.state(),
        "canCalculateChanges": True,
        **page.cut(found, most),
    }


def _found(arguments: Arguments, standing: _Standing) -> list[str]:
    where = arguments.objects("filter") or {}
    sort = arguments.list_of_objects("sort") or []
    known = list(_objects(standing).values())
    for name, value in where.items():
        if name not in _CONDITIONS:
            raise MethodError("unsupportedFilter", f"there is no condition {name[:80]!r}")
        if name == "name":
            known = [each for each in known if str(value).lower() in each["name"].lower()]
        elif name == "type":
            known = [each for each in known if value in each["types"]]
        else:
            known = [each for each in known if each[name] == value]
    for criterion in reversed(sort):
        by = criterion.get("property")
        if by not in _SORTS:
            raise MethodError("unsupportedSort", "quotas are not sorted like that")
        backwards = criterion.get("isAscending") is False
        known.sort(key=lambda each: each[by], reverse=backwards)
    return [each["id"] for each in known]


async def quota_query_changes(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Tell what came into the results of a query and what left them or has another place: all of them,
    where something changed, since they are two at most.
    """
    context.own_account(arguments)
    old = arguments.state("sinceQueryState")
    arguments.number("maxChanges", 1)
    arguments.text("upToId")
    wants_total = arguments.flag("calculateTotal")
    now = await _standing(context)
    found = _found(arguments, now)
    arguments.done()
    before = _Standing.read(old)
    if before is None:
        raise MethodError("cannotCalculateChanges", "that is no state of quotas")
    same = before == now
    response: dict[str, Any] = {
        "accountId": context.account_id,
        "oldQueryState": old,
        "newQueryState": now.state(),
        "removed": [] if same else before.ids(),
        "added": [] if same else [{"id": each, "index": at} for at, each in enumerate(found)],
    }
    if wants_total:
        response["total"] = len(found)
    return response
