"""A server on loopback in a thread of its own, and Debian's chromium before it: both once per module."""

import asyncio
import base64
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec import Struct
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.unit.web.site import Site, running

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a long enough password"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
T = TypeVar("T")


class Running(Struct, frozen=True):
    """A site, and the loop that it runs on."""

    site: Site
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return self.site.url

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)


def serve(directory: Path, **sections: Any) -> Iterator[Running]:
    """Run a site until the generator goes on."""
    ready: list[Running] = []
    failed: list[BaseException] = []
    started, stop = threading.Event(), threading.Event()

    async def work() -> None:
        async with running(directory, **sections) as site:
            ready.append(Running(site, asyncio.get_running_loop()))
            started.set()
            await asyncio.to_thread(stop.wait)

    def whole() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            failed.append(error)
            started.set()

    thread = threading.Thread(target=whole, name="site")
    thread.start()
    started.wait(60)
    try:
        if failed:
            raise failed[0]
        yield ready[0]
    finally:
        stop.set()
        thread.join(60)


@pytest.fixture(scope="session")
def bundle() -> None:
    subprocess.run([sys.executable, ROOT / "webapp/bundle.py", "build"], check=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, bundle: None) -> Iterator[Running]:
    yield from serve(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


def context_of(browser: Browser, name: str, **given: Any) -> BrowserContext:
    """Return a window of somebody with an account here, logged in."""
    login = base64.b64encode(f"{name}@here.test:{PASSWORD}".encode()).decode()
    size = {"width": 1360, "height": 860}
    return browser.new_context(
        **{
            "viewport": size,
            "locale": "en-GB",
            "extra_http_headers": {"Authorization": f"Basic {login}"},
            "reduced_motion": "reduce",
            **given,
        }
    )


@pytest.fixture
def people(browser: Browser, server: Running) -> Iterator[Callable[..., Page]]:
    """Return what opens the mail of somebody; an error on any of the pages fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_mail(name: str, path: str = "/mail/", **given: Any) -> Page:
        context = context_of(browser, name, **given)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server.url + path)
        page.locator("nav[aria-label=Mailboxes]").wait_for(state="attached")
        return page

    yield open_mail
    for context in contexts:
        context.close()
    assert errors == []


def picture(page: Page, name: str) -> None:
    """Keep a screenshot for the docs where ``POSTROAD_PICTURES`` says so."""
    if os.environ.get("POSTROAD_PICTURES"):
        page.wait_for_timeout(400)
        page.screenshot(path=ROOT / f"docs/pictures/{name}.png")
