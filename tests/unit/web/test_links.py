"""The host names of links, by a real server and a real client."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.model import Address, SuppressionReason, parse_id
from postroad.trust.link_token import ClickLink, OpenLink, UnsubscribeLink
from tests.unit.web.site import Site, running

BOB = Address("bob", "there.test")
TARGET = "https://shop.test/?a=1&b=%20"
NEWS = {
    "senders": ["news@here.test"],
    "kind": "broadcast",
    "unsubscribe_domain": "leave.here.test",
    "track_clicks": True,
    "tracking_domain": "mail.here.test",  # the server's own name
}
LEAVE, OWN = {"Host": "leave.here.test"}, {"Host": "mail.here.test"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path, streams={"news": NEWS}) as site:
        yield site


def path(site: Site, link: ClickLink | OpenLink | UnsubscribeLink) -> str:
    return site.system.office.link_tokens.make(link, site.system.office.clock.now())


async def test_links_lead_on(site: Site) -> None:
    click = path(site, ClickLink(7, 0, TARGET))
    for host in (LEAVE, OWN, {"Host": "MAIL.here.test:443"}, {"Host": "mail.here.test."}):
        answer = await site.anyone.get(click, headers=host)
        assert (answer.status_code, answer.headers["Location"]) == (302, TARGET)
    answer = await site.anyone.head(click, headers=OWN)
    assert (answer.status_code, answer.content) == (302, b"")
    picture = await site.anyone.get(path(site, OpenLink(7, 0)), headers=OWN)
    assert picture.headers["Content-Type"] == "image/gif"
    assert picture.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert picture.headers["Cache-Control"] == "no-store"


async def test_one_click(site: Site) -> None:
    link = path(site, UnsubscribeLink(7, "news", BOB))
    page = await site.anyone.get(link, headers=LEAVE)
    assert page.status_code == 200
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert len(page.headers.get_list("Content-Security-Policy")) == 1
    store = site.system.store.suppressions
    assert await store.of("news", [BOB]) == []
    for _ in range(2):
        answer = await site.anyone.post(link, headers=LEAVE, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    assert [e.reason for e in await store.of("news", [BOB])] == [SuppressionReason.UNSUBSCRIBE]


async def test_nothing_else_is_at_these_names(site: Site) -> None:
    for there in ("/", "/api/v1", "/livez", "/api/v1/openapi.json", "/../livez", "//evil.test/"):
        assert (await site.client.get(there, headers=LEAVE)).status_code == 404
    # The server's own name has its other routes, and other names have none of ours.
    assert (await site.anyone.get("/livez", headers=OWN)).status_code == 200
    assert (await site.anyone.get("/livez")).status_code == 200
    click = path(site, ClickLink(7, 0, TARGET))
    assert (await site.anyone.get(click)).status_code == 404
    assert (await site.anyone.get(click, headers={"Host": "evil.test"})).status_code == 404


async def test_a_body_has_a_limit(site: Site) -> None:
    link = path(site, UnsubscribeLink(7, "news", BOB))
    answer = await site.anyone.post(link, headers=LEAVE, content=b"x" * 1_000_000)
    assert answer.status_code == 413
    assert await site.system.store.suppressions.of("news", [BOB]) == []


async def test_streams_without_links_have_no_landing(tmp_path: Path) -> None:
    codes = {"codes": {"senders": ["codes@here.test"], "kind": "transactional"}}
    async with running(tmp_path, streams=codes) as site:
        assert site.system.office.mailings is None
        click = path(site, ClickLink(7, 0, TARGET))
        assert (await site.anyone.get(click, headers=OWN)).status_code == 404


async def test_a_mailing_by_the_api(site: Site) -> None:
    asked = {
        "from": "news@here.test",
        "to": ["ann@here.test", "bob@here.test"],
        "subject": "Spring",
        "html": f'<a href="{TARGET}">read</a> <a href="https://leave.here.test/u/">leave</a>',
    }
    await site.system.accounts.add(Address("news", "here.test"), "a long enough password")
    once = {"Idempotency-Key": "spring"}
    first = await site.client.post("/api/v1/messages", json=asked, headers=once)
    assert first.status_code == 202, first.text
    again = await site.client.post("/api/v1/messages", json=asked, headers=once)
    ids = first.json()["ids"]
    assert len(ids) == 2
    assert again.json()["ids"] == ids
    left = []
    for each in ids:
        message = await site.system.store.queue.message(parse_id(each))
        assert message is not None
        assert message.stream == "news"
        data = (await site.system.store.content.read(message.content)).decode()
        leave = re.findall(r"<https://leave\.here\.test(/u/[^>]+)>", data)[0]
        click = re.findall(r"https://mail\.here\.test(/c/[^\"]+)\"", data.replace("=\r\n", ""))[0]
        answer = await site.anyone.get(click, headers=OWN)
        assert answer.headers["Location"] == TARGET
        answer = await site.anyone.post(
            leave, headers=LEAVE, data={"List-Unsubscribe": "One-Click"}
        )
        assert answer.status_code == 200
        shown = (await site.client.get(f"/api/v1/messages/{each}")).text
        assert "clicked" in shown
        assert "unsubscribed" in shown
        left.append(str(message.envelope.recipients[0].address))
    assert left == asked["to"]
    listed = await site.client.get("/api/v1/suppressions", params={"stream": "news"})
    assert [e["address"] for e in listed.json()["suppressions"]] == asked["to"]
