"""Hostile HTML mail in a real browser: nothing runs, and nothing is loaded but from here (attack 23).

Each wall is tried without the others: what the sanitiser writes, in a frame that may do anything; the
mail as it came, behind the header fields and the sandbox of our pages; then both, as readers have it.
And the mail as it came in a frame that may do anything, which shows that the traps of this test catch.
"""

import re
import struct
import zlib
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from msgspec import Struct
from playwright.async_api import Browser, BrowserContext, Page, Request, Route, async_playwright

from postroad.message.display.allow import ALLOWED
from postroad.model import Address, Filed, Group
from postroad.web.mail_view import policy_of
from tests.attacks.hostile_html import Hostile, all_mails
from tests.browser.launch import launch
from tests.unit.web.site import Site, running
from tests.web_server import PlainWebServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAILS = all_mails()
_HOST = """<!doctype html><script>window.ran = [];
addEventListener("message", event => ran.push(event.data));</script>%s"""


_SUSPECT = re.compile(r"@import|@font-face|url\((?!.\/mail-view/picture/)|expression|\\|position:")


class Ring(Struct):
    """All that a test needs: the server, the browser, the mails' ids, and who serves evil pictures."""

    site: Site
    browser: Browser
    evil: PlainWebServer
    ids: dict[str, str]
    cookie: str = ""

    @property
    def base(self) -> str:
        return f"http://evil.example:{self.evil.port}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ring(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ring]:
    directory: Path = tmp_path_factory.mktemp("hostile")
    records = {"evil.example": {"A": ["127.0.0.1"]}}
    async with (
        PlainWebServer(_png(60, 40), "image/svg+xml") as evil,
        running(directory, records=records, display={"allow_private": True}) as site,
        async_playwright() as playwright,
    ):
        browser = await launch(playwright)
        made = Ring(site, browser, evil, {})
        made.cookie = await _log_in(site)
        made.ids.update(await _file_all(made))
        yield made
        await browser.close()


async def _log_in(site: Site) -> str:
    entered = await site.anyone.post(
        "/api/v1/login",
        json={"username": "ann@here.test", "password": "a long enough password"},
        headers={"X-Postroad": "1"},
    )
    site.anyone.cookies.clear()
    return entered.headers["set-cookie"].partition(";")[0]


async def _file_all(ring: Ring) -> dict[str, str]:
    """Put all mails into ann's INBOX and return their ids by name."""
    system = ring.site.system
    account = await system.store.directory.account(Address("ann", "here.test"))
    assert account is not None
    changes, contents = [], []
    for mail in MAILS:
        writer = system.store.content.stage(system.office.entropy.id())
        writer.write(mail.mail(ring.base))
        staged = await writer.finish()
        changes.append(Filed(1.0, account.inbox, staged.ref, 1.0))
        contents.append(staged)
    await system.store.ledger.commit(Group(tuple(changes), tuple(contents)))
    async with _as_ann(ring) as client:
        return await _ids(client)


async def _ids(client: httpx.AsyncClient) -> dict[str, str]:
    session = await client.get("/jmap/session")
    number = next(iter(session.json()["accounts"]))
    reply = await client.post(
        "/jmap/api",
        json={
            "using": ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"],
            "methodCalls": [
                ["Email/query", {"accountId": number, "limit": 500}, "q"],
                [
                    "Email/get",
                    {
                        "accountId": number,
                        "#ids": {"resultOf": "q", "name": "Email/query", "path": "/ids"},
                        "properties": ["id", "messageId"],
                    },
                    "g",
                ],
            ],
        },
    )
    emails = reply.json()["methodResponses"][1][1]["list"]
    return {each["messageId"][0].partition("@")[0]: each["id"] for each in emails}


def _as_ann(ring: Ring) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=ring.site.url, timeout=60, headers={"Cookie": ring.cookie, "X-Postroad": "1"}
    )


class Watched:
    """A page whose every request is seen. Only what is ours leaves; `raw` are pages that we make up."""

    def __init__(self, ring: Ring, page: Page) -> None:
        self._own = ring.site.url
        self.page = page
        self.elsewhere: list[str] = []
        self.pictures: list[Request] = []
        self.dialogs: list[str] = []
        self.raw: dict[str, tuple[str, dict[str, str]]] = {}

    async def begin(self) -> None:
        async def dismiss(dialog: Any) -> None:
            self.dialogs.append(dialog.message)
            await dialog.dismiss()

        self.page.on("dialog", dismiss)
        await self.page.context.route("**/*", self._route)

    async def _route(self, route: Route) -> None:
        url = route.request.url
        if url in self.raw:
            body, headers = self.raw[url]
            await route.fulfill(body=body, content_type="text/html; charset=utf-8", headers=headers)
        elif url.startswith(f"{self._own}/mail-view/picture/"):
            self.pictures.append(route.request)
            await route.continue_()  # without a login: the address is enough
        elif url.startswith(f"{self._own}/mail-view/"):
            await route.continue_()  # with the cookie of the session, as from the app
        else:
            self.elsewhere.append(url)
            await route.abort()

    async def show(self, at: str, frames: str) -> list[str]:
        """Show frames on a page of ours, and return what ran in any of them."""
        self.raw[at] = (_HOST % frames, {})
        await self.page.goto(at, wait_until="load")
        await self.page.wait_for_timeout(700)
        found: list[str] = await self.page.evaluate("ran")
        return sorted(set(found)) + self.dialogs


@pytest_asyncio.fixture(loop_scope="module")
async def watched(ring: Ring) -> AsyncIterator[Watched]:
    context: BrowserContext = await ring.browser.new_context(service_workers="block")
    name, _, value = ring.cookie.partition("=")
    await context.add_cookies(
        [
            {
                "name": name,
                "value": value,
                "url": ring.site.url,
                "sameSite": "Strict",
                "httpOnly": True,
            }
        ]
    )
    made = Watched(ring, await context.new_page())
    await made.begin()
    yield made
    await context.close()


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;")


async def test_there_are_enough_of_them_and_each_is_shown(ring: Ring) -> None:
    assert len(MAILS) >= 150
    assert sorted(ring.ids) == sorted(each.name for each in MAILS)


async def test_the_traps_of_this_test_catch(ring: Ring, watched: Watched) -> None:
    frames = ""
    for mail in MAILS:
        if mail.html:
            at = f"http://open.test/{mail.name}"
            watched.raw[at] = (mail.page(ring.base), {})
            frames += f'<iframe src="{at}"></iframe>'
    ran = await watched.show("http://open.test/", frames)
    assert len(ran) > 60, ran
    loaded = {each for each in watched.elsewhere if "evil.example" in each}
    assert len(loaded) > 25, loaded


async def test_what_the_sanitiser_writes_runs_nothing_where_all_may_run(
    ring: Ring, watched: Watched
) -> None:
    frames = ""
    async with _as_ann(ring) as client:
        for mail in MAILS:
            reply = await client.get(f"/mail-view/{ring.ids[mail.name]}")
            assert reply.status_code == 200, (mail.name, reply.text)
            _inspect(mail, reply.text)
            frames += f'<iframe srcdoc="{_attribute(reply.text)}"></iframe>'
    assert await watched.show("http://open.test/", frames) == []
    assert _not_pictures(watched.elsewhere) == []


def _not_pictures(urls: list[str]) -> list[str]:
    """Parts of a message are asked for from the server, which that page is not at."""
    return [each for each in urls if not each.startswith("http://open.test/mail-view/picture/")]


async def test_the_header_fields_alone_keep_the_mail_as_it_came_from_running(
    ring: Ring, watched: Watched
) -> None:
    frames = ""
    policy = policy_of(f"{ring.site.url}/mail-view/picture/", measure=False)
    for mail in MAILS:
        if mail.html:
            at = f"{ring.site.url}/raw/{mail.name}"
            headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
            watched.raw[at] = (mail.page(ring.base), headers)
            frames += f'<iframe src="{at}"></iframe>'
    assert await watched.show(f"{ring.site.url}/reader", frames) == []
    # The policy is about pages: of what is above only a link's hints are not bound by it everywhere.
    assert watched.elsewhere == []


@pytest.mark.parametrize("query", ["images=0", "images=1&measure=1"])
async def test_readers_see_the_mail_and_nothing_runs(
    ring: Ring, watched: Watched, query: str
) -> None:
    box = "allow-popups allow-popups-to-escape-sandbox"
    if "measure" in query:
        box += " allow-same-origin"
    frames = "".join(
        f'<iframe id="{name}" sandbox="{box}" src="/mail-view/{email}?{query}"></iframe>'
        for name, email in ring.ids.items()
    )
    ring.evil.requests.clear()
    assert await watched.show(f"{ring.site.url}/reader", frames) == []
    assert watched.elsewhere == []
    for each in watched.pictures:
        if "measure" not in query:
            assert "cookie" not in await each.all_headers(), "the address is enough"
        assert each.headers.get("referer", ring.site.url).startswith(ring.site.url)
    if "images=1" not in query:
        assert ring.evil.requests == []
    else:
        asked = [each.decode("latin-1") for each in ring.evil.requests]
        assert len(asked) >= 10
        assert not any(re.search(r"(?im)^(cookie|referer|authorization):", each) for each in asked)
        assert not any("img-pixel" in each for each in asked)
    if "measure" in query:
        height = await watched.page.evaluate(
            "document.querySelector('#clobbering').contentDocument.documentElement.scrollHeight"
        )
        assert height > 0
    else:
        closed = await watched.page.evaluate(
            "[...document.querySelectorAll('iframe')].every(each => each.contentDocument === null)"
        )
        assert closed


class _Tags(HTMLParser):
    """Reads what stands in a page behind our own head, by another parser than any that wrote it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))


def _inspect(mail: Hostile, page: str) -> None:
    """Look at a page as text."""
    begin, end = page.index("<body"), page.index("</body>")
    assert page.count("<body") == page.count("</body>") == page.count("</html>") == 1, mail.name
    assert page.count("<style") == page.count("</style") == 2, mail.name
    styles = page[page.rindex("<style>") : page.rindex("</style>")]
    assert _SUSPECT.search(styles) is None, mail.name
    reader = _Tags()
    reader.feed(page[begin:end])
    links = 0
    for tag, attributes in reader.tags[1:]:
        assert tag in ALLOWED, (mail.name, tag)
        for key, value in attributes.items():
            assert not key.startswith(("on", "xlink", "form", "src-")), (mail.name, key)
            assert key not in ("srcset", "action", "ping", "srcdoc", "background"), (mail.name, key)
            if key == "href":
                assert value.startswith(("http://", "https://", "mailto:", "#")), (mail.name, value)
                links += 1
                if not value.startswith("#"):
                    assert attributes["rel"] == "noopener noreferrer", mail.name
                    assert attributes["target"] == "_blank", mail.name
            if key == "src":
                assert value.startswith("/mail-view/picture/"), (mail.name, value)
            if key == "style":
                assert "url(" not in value.replace('url("/mail-view/picture/', ""), (
                    mail.name,
                    value,
                )
                assert "position" not in value, (mail.name, value)
    assert mail.links == 0 or links <= mail.links, mail.name


async def test_how_many_pictures_are_elsewhere_is_told(ring: Ring) -> None:
    async with _as_ann(ring) as client:
        for mail in MAILS:
            if not mail.remote:
                continue
            told = (await client.get(f"/mail-view/{ring.ids[mail.name]}/about")).json()
            assert told["remotePictures"] == mail.remote, mail.name


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    rows = (b"\0" + b"\x30\x70\xb0" * width) * height
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
