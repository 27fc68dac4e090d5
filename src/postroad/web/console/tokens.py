"""Keys of the HTTP API."""

from collections.abc import Sequence
from typing import Annotated

from litestar import delete, get, post
from litestar.params import JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from postroad.model import ApiScope
from postroad.web.console.asked import common, domain_in
from postroad.web.console.desk import BASE, ConsoleDesk


class KeyRow(Struct, frozen=True):
    """A key; the token itself is not known here."""

    name: str
    scopes: list[ApiScope]
    domains: list[str]
    created_at: float


class KeyRows(Struct, frozen=True):
    """By name; `scopes` are all that there are."""

    keys: list[KeyRow]
    scopes: list[ApiScope]


class NewKey(Struct, frozen=True, forbid_unknown_fields=True):
    """What to make; no domains: all."""

    name: Annotated[str, Meta(max_length=200)]
    scopes: Annotated[list[ApiScope], Meta(min_length=1, max_length=len(ApiScope))]
    domains: Annotated[list[Annotated[str, Meta(max_length=255)]], Meta(max_length=1000)] = []


class MadeKey(Struct, frozen=True):
    """The token, which is not shown again."""

    token: str


def routes(desk: ConsoleDesk) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""

    @get(f"{BASE}/keys", **common())
    async def list_keys() -> KeyRows:
        """List keys."""
        keys = [
            KeyRow(each.name, list(each.scopes), list(each.domains), each.created_at)
            for each in await desk.api_keys.list()
        ]
        return KeyRows(keys, list(ApiScope))

    @post(f"{BASE}/keys", **common(status_code=201))
    async def add_key(data: JSONBody[NewKey]) -> MadeKey:
        """Make a key."""
        domains = tuple([domain_in(f"domains[{n}]", each) for n, each in enumerate(data.domains)])
        return MadeKey(await desk.api_keys.add(data.name, tuple(data.scopes), domains))

    @delete(f"{BASE}/keys", **common(status_code=204))
    async def remove_key(name: Annotated[str, QueryParameter(max_length=200)]) -> None:
        """Remove a key: from now on it is good for nothing."""
        await desk.api_keys.remove(name)

    return [list_keys, add_key, remove_key]
