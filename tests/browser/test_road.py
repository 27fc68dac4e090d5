"""The road of a message in a real browser: of mail that came, of mail that is on its way while somebody
looks on, on a phone and in the dark; and a letter with HTML as its reader sees it.
"""

import asyncio
import smtplib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec import Struct
from playwright.async_api import Page, async_playwright, expect

from postroad.service.jmap.ids import Kind, read
from tests.attacks.serving import serving
from tests.browser.launch import launch
from tests.unit.web.site import Site, running
from tests.unit.web.test_road import ANN, BOB, RECORDS, newest, send

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "webapp/node_modules/axe-core/axe.min.js"
MAIL = (
    b"From: Eve <eve@else.test>\r\nTo: ann@here.test\r\nSubject: hi\r\n"
    b"Content-Type: text/html\r\n\r\n<h1 style='color:#0a5'>Hello Ann</h1>"
    b"<p>See <a href='https://else.test/'>our page</a>.<script>document.title='ran'</script></p>\r\n"
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Scene(Struct):
    site: Site
    page: Page
    far_port: int
    directory: Path
    shots: Path

    async def shot(self, name: str) -> None:
        await self.page.screenshot(path=str(self.shots / f"{name}.png"), full_page=True)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    subprocess.run([sys.executable, ROOT / "webapp/bundle.py", "build"], check=True)
    directory = tmp_path_factory.mktemp("road")
    shots = ROOT / "build/shots"
    shots.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    async with running(
        directory / "here",
        records=RECORDS,
        listen={"mx": ["127.0.0.1:0"]},
        trust={"verify": True},
        delivery={"port": port, "allow_private": True},
        jmap={"look_seconds": 0.05},
    ) as site:
        async with async_playwright() as playwright:
            browser = await launch(playwright)
            context = await browser.new_context(
                base_url=site.url, viewport={"width": 1100, "height": 900}, color_scheme="light"
            )
            entered = await context.request.post(
                "/api/v1/login",
                data={"username": ANN[0], "password": ANN[1]},
                headers={"X-Postroad": "1"},
            )
            assert entered.ok, await entered.text()
            page = await context.new_page()
            wrong: list[str] = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on(
                "console", lambda said: wrong.append(said.text) if said.type == "error" else None
            )
            yield Scene(site, page, port, directory, shots)
            await browser.close()
            assert wrong == []


async def _serious(page: Page) -> list[str]:
    """What axe finds that keeps somebody from using the page."""
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("axe.run()")
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:120]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def _bring(site: Site) -> None:
    with smtplib.SMTP(*site.system.listening["mx"][0]) as client:
        client.sendmail("eve@else.test", [ANN[0]], MAIL)


async def test_the_road_of_mail_that_came(scene: Scene) -> None:
    page, site = scene.page, scene.site
    await asyncio.to_thread(_bring, site)
    email = await newest(site, ANN)
    await page.goto(f"/road/{email}")
    road = page.get_by_role("region", name="The road of this message")
    await expect(road.get_by_text("Probably from else.test").first).to_be_visible()
    steps = road.get_by_role("list", name="To you").locator("> li b")
    await expect(steps).to_have_text(
        ["A server brought it", "Looked at", "Accepted", "Address taken apart",
         "In your mailbox", "Not read yet"]
    )  # fmt: skip
    await expect(road.get_by_text("Not encrypted", exact=True)).to_be_visible()
    await road.get_by_text("Probably from else.test").first.click()
    await expect(
        road.get_by_text("the server that brought it may send for else.test", exact=True)
    ).to_be_visible()
    await scene.shot("road-received")
    assert await _serious(page) == []
    await page.emulate_media(color_scheme="dark")
    await scene.shot("road-received-dark")
    assert await _serious(page) == []
    await page.set_viewport_size({"width": 390, "height": 800})
    await scene.shot("road-received-phone")
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390, "nothing goes out at the side of a phone"
    await page.set_viewport_size({"width": 1100, "height": 900})
    await page.emulate_media(color_scheme="light")


async def test_a_road_goes_on_while_somebody_looks(scene: Scene) -> None:
    page, site = scene.page, scene.site
    email = await send(site, "bob@us.test", BOB[0])
    await page.goto(f"/road/{email}")
    road = page.get_by_role("region", name="The road of this message")
    await expect(road.get_by_text("Waits for its next try").first).to_be_visible()
    await expect(road.get_by_text("Live: this goes on by itself.")).to_be_visible()
    await expect(road.get_by_text("Not reached")).to_be_visible()
    await scene.shot("road-waiting")
    listen = {"mx": [f"127.0.0.1:{scene.far_port}"]}
    async with serving(scene.directory / "us", listen=listen):
        number = read(Kind.EMAIL, email)
        assert number is not None
        account = await site.system.store.directory.account_by_id(await _account(site))
        assert account is not None
        (sent, *_) = await site.system.store.emails.submissions(account.id)
        await site.system.queue.retry([(sent.message, 0)], "a test")
        await expect(road.get_by_text("Handed over")).to_be_visible(timeout=15_000)
        await expect(road.get_by_text("Live: this goes on by itself.")).to_be_hidden()
        far = road.locator("details.branch", has_text="bob@us.test")
        await expect(far.locator("summary").first).to_contain_text("Delivered")
        await expect(far.get_by_text("encrypted, TLS 1.3").first).to_be_visible()
        await far.get_by_text("What the servers said in 2 tries").click()
        await expect(far.get_by_role("cell", name="tls", exact=True).first).to_be_visible()
        await scene.shot("road-sent")
        assert await _serious(page) == []
        await page.emulate_media(color_scheme="dark")
        await scene.shot("road-sent-dark")
        assert await _serious(page) == []
        await page.emulate_media(color_scheme="light")


async def _account(site: Site) -> int:
    told: dict[str, Any] = (await site.anyone.get("/jmap/session", auth=ANN)).json()
    number = read(Kind.ACCOUNT, next(iter(told["accounts"])))
    assert number is not None
    return number


async def test_a_letter_in_its_frame(scene: Scene) -> None:
    """By the session's cookie, and by a frame that is as high as the letter."""
    page = scene.page
    email = await newest(scene.site, ANN)
    for _ in range(2):  # the newest is what was sent above; the letter is the one with HTML
        about = await page.context.request.get(f"/mail-view/{email}")
        if "Hello Ann" in await about.text():
            break
        await asyncio.to_thread(_bring, scene.site)
        email = await newest(scene.site, ANN)
    await page.evaluate(
        """email => { const frame = document.createElement("iframe");
        frame.id = "letter"; frame.sandbox = "allow-same-origin allow-popups";
        frame.src = `/mail-view/${email}?measure=1`; document.body.replaceChildren(frame); }""",
        email,
    )
    letter = page.frame_locator("#letter")
    await expect(letter.get_by_text("Hello Ann")).to_be_visible()
    link = letter.get_by_role("link", name="our page")
    assert await link.get_attribute("rel") == "noopener noreferrer"
    assert await link.get_attribute("target") == "_blank"
    height = await page.evaluate(
        "document.querySelector('#letter').contentDocument.documentElement.scrollHeight"
    )
    assert 50 < height < 400
    assert await page.title() != "ran"
