"""Templates by the client, against a running server."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from postroad.client import (
    AsyncClient,
    InvalidRequest,
    Message,
    NotAllowed,
    NotFound,
    TemplateDraft,
)
from postroad.model import ApiScope
from tests.unit.web.site import running


async def test_from_a_draft_to_a_message(tmp_path: Path) -> None:
    async with running(tmp_path) as site, AsyncClient(site.url, site.token) as client:
        templates = client.templates
        first = await templates.save(
            "hello",
            TemplateDraft(subject="Hi {{ who }}", text="Dear {{ who }}", sample={"who": "x"}),
        )
        assert (first.version, first.live, first.sample) == (1, True, {"who": "x"})
        assert datetime.now(UTC) - first.saved_at < timedelta(minutes=5)
        draft = TemplateDraft(subject="Ho {{ who }}", text="Hey {{ who }}", live=False)
        assert (await templates.save("hello", draft)).version == 2
        assert [each.version for each in await templates.versions("hello")] == [2, 1]
        assert [(each.name, each.version) for each in await templates.all()] == [("hello", 1)]
        assert (await templates.preview("hello")).subject == "Hi x"
        tried = await templates.preview("hello", {"who": "Ann"}, version=2)
        assert (tried.subject, tried.text, tried.html) == ("Ho Ann", "Hey Ann", "")
        assert (await templates.activate("hello", 2)).live
        sent = await client.send(
            Message(
                from_="ann@here.test", to="bob@here.test", template="hello", data={"who": "Bob"}
            )
        )
        assert sent.id
        with pytest.raises(InvalidRequest) as missing:
            await templates.preview("hello", {})
        assert missing.value.fields == ("data.who",)
        await templates.remove("hello")
        with pytest.raises(NotFound):
            await templates.show("hello")
        token = await site.system.office.api_keys.add("only", (ApiScope.SETTINGS,), ("here.test",))
        async with AsyncClient(site.url, token) as other:
            with pytest.raises(NotAllowed):
                await other.templates.all()
