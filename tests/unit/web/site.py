"""A whole system with the HTTP API on a loopback port, and a client for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct

from postroad.model import Address, ApiScope
from postroad.runtime.compose import System
from postroad.runtime.config import Config
from tests.fake_dns import FakeDns, Records

ALL = tuple(ApiScope)


def config_of(directory: Path, **sections: Any) -> Config:
    """Only the API listens; nothing leaves."""
    listen: dict[str, Any] = {
        name: [] for name in ("mx", "submission", "submissions", "pop3", "pop3s", "acme")
    }
    given = {name: dict(value) for name, value in sections.items()}
    return Config.model_validate(
        {
            "server": {"hostname": "mail.here.test", "data_dir": directory},
            "listen": {**listen, "http": ["127.0.0.1:0"], "local": None, **given.pop("listen", {})},
            "trust": {"verify": False, "signers": 0, **given.pop("trust", {})},
            **given,
        }
    )


class Site(Struct, frozen=True):
    """A running system, its address, a client without a key and one with a key for everything."""

    system: System
    url: str
    anyone: httpx.AsyncClient
    client: httpx.AsyncClient
    token: str

    async def key(self, *scopes: ApiScope, domains: tuple[str, ...] = ()) -> dict[str, str]:
        """Return the headers of a new key."""
        name = f"key {len(await self.system.office.api_keys.list())}"
        token = await self.system.office.api_keys.add(name, scopes, domains)
        return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def running(
    directory: Path, *, records: Records | None = None, **sections: Any
) -> AsyncIterator[Site]:
    """Run a system with the domain here.test and the accounts ann and bob."""
    resolver = FakeDns(records or {})
    async with System.open(config_of(directory, **sections), resolver=resolver) as system:
        await system.domains.add("here.test")
        for name in ("ann", "bob"):
            await system.accounts.add(Address(name, "here.test"), "a long enough password")
        token = await system.office.api_keys.add("all", ALL)
        await system.start()
        host, port = system.listening["http"][0]
        url = f"http://{host}:{port}"
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx.AsyncClient(base_url=url, timeout=30) as anyone,
            httpx.AsyncClient(base_url=url, timeout=30, headers=headers) as client,
        ):
            yield Site(system, url, anyone, client, token)
