"""The client with asyncio, against a running server."""

import asyncio
from pathlib import Path

import httpx
import pytest

from postroad.client import AsyncClient, Backoff, InvalidRequest, Message, Search
from tests.client import CLIENT, without_asyncio
from tests.unit.web.site import running


class Lossy(httpx.AsyncBaseTransport):
    """Goes to the server, and loses every other answer."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        lost = self.asked % 2 == 1
        answer = await self._inner.handle_async_request(request)
        if lost:
            await answer.aread()
            await answer.aclose()
            raise httpx.ReadError("cut off")
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


async def test_each_is_sent_once_over_a_link_that_loses_answers(tmp_path: Path) -> None:
    async with running(tmp_path) as site, httpx.AsyncClient(transport=Lossy()) as http:
        backoff = Backoff(attempts=30, first_seconds=0.01, max_seconds=0.02)
        async with AsyncClient(site.url, site.token, backoff=backoff, http=http) as client:
            messages = [
                Message(from_="ann@here.test", to="bob@here.test", subject=f"n{n}", text="Hi")
                for n in range(10)
            ]
            receipts = await asyncio.gather(*(client.send(each) for each in messages))
            found = [each async for each in client.find(Search(page_size=3))]
            assert sorted(each.id for each in found) == sorted(each.id for each in receipts)
            with pytest.raises(InvalidRequest) as invalid:
                await client.send(Message(from_="ann@here.test", to="bob@", text="Hi"))
            assert invalid.value.fields == ("to",)
            traced = await client.get(receipts[0].id)
            assert traced.subject == "n0"


def test_the_client_without_asyncio_is_written_from_this_one() -> None:
    written = without_asyncio((CLIENT / "aio.py").read_text(encoding="utf-8"))
    assert written == (CLIENT / "sync.py").read_text(encoding="utf-8"), "python -m tests.client"
    assert "async" not in written.replace("asyncio", "")
