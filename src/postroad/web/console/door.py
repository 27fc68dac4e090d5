"""Who comes into the console: operators, by a session of their browser or by a login. A plain ASGI
application around another.

What the console shares with the API (`SHARED`) is led on to the API's routes, with a key that stands
for the operator; nothing of the API is reached without passing here or having a key.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from postroad.model import Account
from postroad.web.console.desk import BASE, key_of_operator
from postroad.web.explore import BASE as API
from postroad.web.front import KEY
from postroad.web.problem import Problem

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

OPERATOR = "operator"
"""Where the state of a request has the account of the operator; only the door puts it there."""

SHARED = ("templates", "webhooks", "suppressions")
"""The first parts of the paths that are the API's."""

Operators: TypeAlias = Callable[[Scope], Awaitable[Account]]
"""Returns the account that asks, which is an operator's. Raises `Problem`."""


class Door:
    """Wraps the application of all routes."""

    def __init__(self, app: App, operators: Operators) -> None:
        self._app = app
        self._operators = operators

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called for each request."""
        path: str = scope["path"]
        if path == BASE or path.startswith(f"{BASE}/"):
            scope["state"][KEY] = None
            account = await self._operators(scope)
            scope["state"][OPERATOR] = account
            rest = path[len(BASE) + 1 :]
            if rest.split("/")[0] in SHARED:
                scope["state"][KEY] = key_of_operator(account)
                scope["path"] = f"{API}/{rest}"
                raw = scope.get("raw_path")
                if raw:
                    scope["raw_path"] = API.encode() + raw[len(BASE) :]
        await self._app(scope, receive, send)


async def behind_the_door(connection: Any, _: Any) -> None:
    """Guard of the console's routes: they are never reached but through the door."""
    if OPERATOR not in connection.scope["state"]:
        raise Problem(403, "forbidden", "the console is for operators")
