"""The operators' console in a real browser, on a real server with mail behind it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from postroad.service import bulk
from tests.browser.console_site import (
    HELD_BACK,
    OPERATOR,
    PASSWORD,
    ConsoleSite,
    console_site,
    wait_for,
)

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "webapp/node_modules/axe-core/axe.min.js"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = {  # what stands on each once its data is there
    "": "By destination",
    "queue": "reader5@slow.test",
    "journeys": "buyer2@gone.test",
    "streams": "codes@here.test",
    "reports?account=reports@here.test": "certificate-expired",
    "domains": "second.test",
    "domains/here.test": "DMARC",
    "accounts": "info@here.test",
    "suppressions?stream=shop": "Nobody is on the list",
    "keys": "shop server",
    "webhooks": "https://hook.here.test:9/hook",
    "templates": "order-shipped",
    "templates/order-shipped": "Hello Ann",
    "health": "192.0.2.10 is on bad.list.test",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleSite]:
    subprocess.run([sys.executable, ROOT / "webapp/bundle.py", "build"], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "STEP", 5)  # so that there is time to see it and to stop it
        with console_site(tmp_path_factory.mktemp("console")) as running:
            yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield opened
        opened.close()


def logged_in(browser: Browser, site: ConsoleSite, **options: Any) -> BrowserContext:
    """A window whose user is the operator."""
    context = browser.new_context(base_url=site.url, **options)
    context.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    answer = context.request.post(
        "/api/v1/login",
        data={"username": OPERATOR, "password": PASSWORD},
        headers={"X-Postroad": "1"},
    )
    assert answer.ok, answer.text()
    return context


def watched(context: BrowserContext) -> tuple[Page, list[str]]:
    """A page, and what goes wrong in it."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda line: wrong.append(line.text) if line.type in ("error", "warning") else None,
    )
    return page, wrong


def serious(page: Page) -> list[str]:
    """What axe finds that keeps somebody out."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {[node['html'][:120] for node in each['nodes'][:3]]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(
    ("scheme", "paths"),
    [
        ("light", list(PAGES)),
        ("dark", ["", "queue", "reports?account=reports@here.test", "domains/here.test", "health"]),
    ],
)
def test_each_page_shows_what_there_is_and_keeps_nobody_out(
    site: ConsoleSite, browser: Browser, scheme: Any, paths: list[str]
) -> None:
    context = logged_in(browser, site, color_scheme=scheme, viewport={"width": 1360, "height": 850})
    page, wrong = watched(context)
    for path in paths:
        text = PAGES[path]
        page.goto(f"/console/{path}")
        expect(page.locator("main")).to_contain_text(text)
        expect(page.locator("h1")).to_have_count(1)
        assert serious(page) == [], path
        assert wrong == [], path
    context.close()


def test_on_a_telephone_nothing_hangs_over(site: ConsoleSite, browser: Browser) -> None:
    context = logged_in(browser, site, viewport={"width": 390, "height": 800}, has_touch=True)
    page, wrong = watched(context)
    for path in ("", "queue", "domains/here.test", "webhooks", "templates/order-shipped", "health"):
        page.goto(f"/console/{path}")
        expect(page.locator("main")).to_contain_text(PAGES[path])
        wide = page.evaluate("document.querySelector('main').scrollWidth - innerWidth")
        assert wide <= 0, path
    page.get_by_role("button", name="Pages").click()
    page.get_by_role("link", name="Health").click()
    expect(page.get_by_role("heading", name="Health")).to_be_visible()
    assert wrong == []
    context.close()


def test_the_queue_is_filtered_explained_and_changed(site: ConsoleSite, browser: Browser) -> None:
    context = logged_in(browser, site, viewport={"width": 1360, "height": 850})
    page, wrong = watched(context)
    page.goto("/console/")
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("q")
    expect(page.get_by_role("heading", name="Queue")).to_be_visible()
    page.get_by_label("Recipient, or @domain").fill("reader7@slow.test")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 delivery", exact=True)).to_be_visible()
    page.locator("tr[data-key] button.why").click()
    expect(page.locator("tr.answer")).to_contain_text("because the DNS does not help")
    page.locator("tr[data-key] input").check()
    page.get_by_role("button", name="Hold", exact=True).click()
    expect(page.get_by_text("1 delivery held")).to_be_visible()
    expect(page.locator("tr[data-key]")).to_contain_text(f"held by {OPERATOR}")
    page.locator("tr[data-key] input").check()
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_text("1 delivery released")).to_be_visible()
    page.locator("tr[data-key] a").click()
    expect(page.get_by_role("heading", name=re.compile("^Message"))).to_be_visible()
    expect(page.locator("main")).to_contain_text(f"by {OPERATOR}")
    assert wrong == []
    context.close()


def test_work_on_many_shows_how_far_it_is_and_is_stopped(
    site: ConsoleSite, browser: Browser
) -> None:
    before = site.held()
    context = logged_in(browser, site, viewport={"width": 1360, "height": 850})
    page, wrong = watched(context)
    page.goto("/console/queue?destination=slow.test&states=due")
    page.get_by_label("Select", exact=True).check()
    page.get_by_role("button", name=re.compile("^Select all")).click()
    page.get_by_role("button", name="Hold", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Hold").click()
    work = page.get_by_role("region", name="Work in progress")
    expect(work).to_contain_text("Holding deliveries")
    expect(work).to_contain_text(re.compile(r"[1-9]\d* deliveries held of 1\d\d\d"))
    # It goes on wherever one is in the console.
    page.get_by_role("link", name="Journeys").click()
    work.get_by_role("button", name="Stop").click()
    expect(work).to_contain_text("Stopped")
    counts: list[int] = []

    def rests() -> bool:
        counts.append(site.held())
        page.wait_for_timeout(300)
        return len(counts) > 1 and counts[-1] == counts[-2]

    wait_for(rests)
    assert before < site.held() < HELD_BACK, "some were held, and the others were let be"
    assert serious(page) == []
    assert wrong == []
    context.close()


def test_nobody_but_operators(site: ConsoleSite, browser: Browser) -> None:
    context = browser.new_context(base_url=site.url)
    context.request.post(
        "/api/v1/login",
        data={"username": "bob@here.test", "password": PASSWORD},
        headers={"X-Postroad": "1"},
    )
    page = context.new_page()
    page.goto("/console/queue")
    expect(page.get_by_role("heading", name="The console is for operators")).to_be_visible()
    context.close()
