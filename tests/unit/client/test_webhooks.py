"""Webhooks by the client, against a running server and a receiver that is not there."""

from pathlib import Path

import pytest

from postroad.client import AsyncClient, Conflict, InvalidRequest, NotFound
from tests.unit.web.site import running


async def test_made_tried_and_removed(tmp_path: Path) -> None:
    async with running(tmp_path) as site, AsyncClient(site.url, site.token) as client:
        hooks, url = client.webhooks, "https://app.there.test/hook"
        made = await hooks.add("shop", url, events=["delivered"], domains=["here.test"])
        assert made.secret
        shown = await hooks.show("shop")
        assert (shown.url, shown.events, shown.streams) == (url, ["delivered"], [])
        assert (shown.old_secret_until, shown.dead) == (None, 0)
        assert await hooks.all() == [shown]
        tried = await hooks.test("shop")
        assert (tried.taken, bool(tried.failure)) == (False, True)
        assert (await hooks.rotate("shop", overlap_seconds=60)).secret != made.secret
        assert (await hooks.show("shop")).old_secret_until is not None
        assert (await hooks.dead("shop"), await hooks.replay("shop")) == ([], 0)
        with pytest.raises(Conflict):
            await hooks.add("shop", url)
        with pytest.raises(InvalidRequest) as typo:
            await hooks.add("other", url, streams=["nwes"])
        assert typo.value.fields == ("streams[0]",)
        await hooks.remove("shop")
        with pytest.raises(NotFound):
            await hooks.show("shop")
