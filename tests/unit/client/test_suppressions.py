"""Suppressions by the client, against a running server."""

from pathlib import Path

import pytest

from postroad.client import AsyncClient, InvalidRequest, NotFound
from tests.unit.web.site import running

STREAMS = {"news": {"senders": ["news@here.test"], "suppression": True}}


async def test_lists_and_tables(tmp_path: Path) -> None:
    async with (
        running(tmp_path, streams=STREAMS) as site,
        AsyncClient(site.url, site.token) as client,
    ):
        lists = client.suppressions
        people = [f"p{number}@there.test" for number in range(7)]
        assert await lists.add("news", people, evidence="asked by phone") == 7
        assert await lists.add("news", people[:1]) == 0
        found = [each async for each in lists.find("news", page_size=3)]
        assert [each.address for each in found] == people
        assert (found[0].reason, found[0].evidence) == ("manual", "asked by phone")
        assert found[0].since.tzinfo is not None
        (one,) = [each async for each in lists.find(address="p3@there.test")]
        assert one.address == "p3@there.test"
        await lists.remove("news", "p3@there.test")
        with pytest.raises(NotFound):
            await lists.remove("news", "p3@there.test")
        table = await lists.export_table("news")
        assert len(table.splitlines()) == 7
        more = table + b"new@there.test,news,manual,,\r\n"
        tried = await lists.import_table(more, dry_run=True)
        assert (tried.lines, tried.added, tried.dry_run) == (7, 1, True)
        assert (await lists.import_table(more)).added == 1
        with pytest.raises(InvalidRequest):
            await lists.add("no-such-stream", people)
