"""What methods of all kinds of things have in common (RFC 8620 §5)."""

from collections.abc import Collection, Mapping
from typing import Any

from postroad.service.jmap.changing import Portion
from postroad.service.jmap.desk import Context
from postroad.service.jmap.ids import Kind, show
from postroad.wire.jmap import Arguments, MethodError, SetError


def wanted_properties(
    arguments: Arguments, known: Collection[str], default: Collection[str] | None = None
) -> list[str]:
    """Take ``properties``; ``id`` is always wanted. Raises `MethodError`."""
    given = arguments.texts("properties")
    if given is None:
        return list(default or known)
    for name in given:
        if name not in known:
            raise MethodError("invalidArguments", f"there is no property {name[:80]!r}")
    return list(dict.fromkeys(["id", *given]))


def at_most(context: Context, count: int) -> None:
    """Raise `MethodError` where more is asked for than one call may (RFC 8620 §5.1)."""
    most = context.desk.settings.limits.max_objects_in_get
    if count > most:
        raise MethodError("requestTooLarge", f"at most {most} at once")


def may_set(context: Context, count: int) -> None:
    """Raise `MethodError` where more is to be changed than one call may (RFC 8620 §5.3)."""
    most = context.desk.settings.limits.max_objects_in_set
    if count > most:
        raise MethodError("requestTooLarge", f"at most {most} at once")


def parse_state(text: str | None) -> int | None:
    """Return the number that a state stands for, None where it is none of ours."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 18:
        return None
    return int(text)


def since(text: str, now: int, known_since: int) -> int:
    """Return the state to tell changes from. Raises `MethodError`, ``cannotCalculateChanges``."""
    number = parse_state(text)
    if number is None or number > now or number < known_since:
        raise MethodError("cannotCalculateChanges", "what changed since then is not known any more")
    return number


def get_response(
    context: Context,
    state: str,
    found: list[dict[str, Any]],
    not_found: list[str],
) -> dict[str, Any]:
    """Return the response of a ``/get``."""
    return {
        "accountId": context.account_id,
        "state": state,
        "list": found,
        "notFound": not_found,
    }


class SetWork:
    """What came of each object of a ``/set``, and the response."""

    def __init__(self, context: Context, kind: Kind) -> None:
        self.context = context
        self.kind = kind
        self.created: dict[str, dict[str, Any]] = {}
        self.updated: dict[str, dict[str, Any] | None] = {}
        self.destroyed: list[str] = []
        self.not_created: dict[str, SetError] = {}
        self.not_updated: dict[str, SetError] = {}
        self.not_destroyed: dict[str, SetError] = {}

    def made(self, name: str, number: int, **properties: Any) -> None:
        """An object was made by the client's name."""
        shown = show(self.kind, number)
        self.created[name] = {"id": shown, **properties}
        self.context.created[name] = shown

    def response(self, old_state: str | None, new_state: str) -> dict[str, Any]:
        """Return the response."""
        return {
            "accountId": self.context.account_id,
            "oldState": old_state,
            "newState": new_state,
            "created": self.created or None,
            "updated": self.updated or None,
            "destroyed": self.destroyed or None,
            "notCreated": errors_json(self.not_created),
            "notUpdated": errors_json(self.not_updated),
            "notDestroyed": errors_json(self.not_destroyed),
        }


class SetArguments:
    """The arguments of a ``/set``, checked. `update` is by id as the client says it."""

    def __init__(self, context: Context, arguments: Arguments) -> None:
        context.own_account(arguments)
        self.if_in_state = arguments.text("ifInState")
        self.create: Mapping[str, dict[str, Any]] = arguments.table("create")
        self.update: Mapping[str, dict[str, Any]] = arguments.table("update")
        self.destroy = arguments.ids("destroy") or []
        may_set(context, len(self.create) + len(self.update) + len(self.destroy))

    def require_state(self, state: str) -> None:
        """Raise `MethodError` where the client speaks of another state."""
        if self.if_in_state is not None and self.if_in_state != state:
            raise MethodError("stateMismatch", "it has changed since")


def errors_json(errors: Mapping[str, SetError]) -> dict[str, Any] | None:
    """Return errors as a response has them, null where there is none."""
    return {name: error.to_json() for name, error in errors.items()} or None


def changes_response(context: Context, kind: Kind, old: str, told: Portion) -> dict[str, Any]:
    """Return the response of a ``/changes``."""
    return {
        "accountId": context.account_id,
        "oldState": old,
        "newState": str(told.state),
        "hasMoreChanges": told.more,
        "created": [show(kind, number) for number in told.created],
        "updated": [show(kind, number) for number in told.updated],
        "destroyed": [show(kind, number) for number in told.destroyed],
    }
