"""A whole system, and the browser of an operator who is logged in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct

from postroad.model import Address
from tests.unit.web.site import Site, running

BASE = "/api/v1/console"
PASSWORD = "a long enough password"
OPERATOR = Address("olga", "here.test")


class Desk(Struct, frozen=True):
    """The system, and the client with the session's cookie."""

    site: Site
    browser: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> Any:
        """Ask, and return what is answered with 200."""
        answer = await self.browser.get(BASE + path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def send(self, method: str, path: str, body: Any = None, *, status: int) -> Any:
        """Ask to change something, and return the answer that has to be of `status`."""
        given = {} if body is None else {"json": body}
        answer = await self.browser.request(method, BASE + path, **given)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@asynccontextmanager
async def at_the_desk(directory: Path, **more: Any) -> AsyncIterator[Desk]:
    """Run a system whose operator is logged in; `more` as for `running`."""
    async with running(directory, **more) as site:
        await site.system.accounts.add(OPERATOR, PASSWORD, operator=True)
        async with browser_of(site, OPERATOR) as browser:
            yield Desk(site, browser)


@asynccontextmanager
async def browser_of(site: Site, address: Address) -> AsyncIterator[httpx.AsyncClient]:
    """Log somebody in."""
    headers = {"X-Postroad": "1", "Origin": site.url}
    async with httpx.AsyncClient(base_url=site.url, timeout=30, headers=headers) as browser:
        body = {"username": str(address), "password": PASSWORD}
        answer = await browser.post("/api/v1/login", json=body)
        assert answer.status_code == 200, answer.text
        yield browser
