"""Guards: which key a route needs.

::

    @get("/messages", guards=[needs(ApiScope.READ)], security=SECURITY)
    async def find(request: Request) -> ...:
        key = key_of(request)
"""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from postroad.model import ApiKey, ApiScope
from postroad.web.front import KEY
from postroad.web.problem import Problem

SECURITY: list[dict[str, list[str]]] = [{"key": []}]
"""For the `security` of a route, so that its description says that it needs a key."""


def needs(scope: ApiScope) -> Guard:
    """Return a guard that lets keys pass which are good for `scope`: 401 without a key, 403 without
    the scope (RFC 6750 §3.1).
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        key = connection.scope["state"].get(KEY)
        if key is None:
            raise Problem(
                401,
                "unauthorized",
                "a key is needed, as in 'Authorization: Bearer pr_...'; make one: postroad api-key add",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if scope not in key.scopes:
            raise Problem(
                403,
                "forbidden",
                f"the key {key.name!r} is not good for {scope.value!r}",
                headers={
                    "WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope.value}"'
                },
            )

    return guard


def key_of(request: Request[Any, Any, Any]) -> ApiKey:
    """Return the key that a guarded route was asked with."""
    key: ApiKey = request.scope["state"][KEY]
    return key
