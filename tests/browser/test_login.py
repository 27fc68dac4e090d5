"""First run, login, second factor, passkey, app password, a program's question: one story, in a browser,
before a real server that is set up by it.
"""

import base64
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from msgspec import Struct
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from postroad.service import totp
from postroad.web.pages import is_built

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "build" / "screenshots"
AXE = ROOT / "webapp/node_modules/axe-core/axe.min.js"
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
PASSWORD = "a long enough password"
ANN = "ann@here.test"

expect.set_options(timeout=40_000)

pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Debian's chromium is not here"),
    pytest.mark.skipif(not is_built(), reason="the web app is not built: make webapp"),
]


class FirstRun(Struct, frozen=True):
    """A server that asks to be set up at `url`."""

    process: subprocess.Popen[str]
    url: str
    directory: Path

    @property
    def base(self) -> str:
        return self.url.partition("/setup")[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstRun]:
    directory = tmp_path_factory.mktemp("first") / "mail"
    services = ("MX", "SUBMISSION", "SUBMISSIONS", "POP3", "POP3S", "HTTPS")
    free = {f"POSTROAD_LISTEN__{name}": "127.0.0.1:0" for name in services}
    process = subprocess.Popen(
        [Path(sys.executable).with_name("postroad"), "serve", "--dir", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **free, "POSTROAD_TRUST__VERIFY": "false"},
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            found = re.search(r"http://localhost:\d+/setup#\S+", line)
            if found:
                yield FirstRun(process, found[0], directory)
                break
        else:
            pytest.fail("the address was not shown")
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.stdout.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(chromium: Browser, server: FirstRun) -> Iterator[BrowserContext]:
    with chromium.new_context(base_url=server.base) as opened:
        opened.set_default_timeout(20_000)
        yield opened


def shoot(page: Page, name: str) -> None:
    """Keep how it looks, and ask axe whether it keeps anybody out."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (each["id"], each["nodes"][0]["html"])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def code(secret: bytes, ahead: int = 0) -> str:
    return totp.code_at(secret, totp.step_of(time.time()) + ahead)


def log_in(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("Address").fill(ANN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_first_run(context: BrowserContext, server: FirstRun) -> None:
    page = context.new_page()
    page.goto("/setup#wrong")
    expect(page.get_by_text("This page needs the address from the terminal")).to_be_visible()
    page.close()
    answer = httpx.post(f"{server.base}/api/v1/setup/look", json={"token": server.url[-43:]})
    assert answer.status_code == 403, "another site's page"
    page = context.new_page()
    page.goto(server.url)
    page.get_by_label("Your domain").fill("here.test")
    page.get_by_label("Public addresses").fill("no address")
    page.get_by_label("Your address, before the @").fill("ann")
    page.get_by_label("Password").fill(PASSWORD)
    shoot(page, "setup-1")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "does not appear to be an IPv4 or IPv6 address"
    )
    page.get_by_label("Public addresses").fill("198.51.100.7")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("cell", name="10 mail.here.test", exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name="198.51.100.7", exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name=re.compile("v=DKIM1")).first).to_be_visible()
    shoot(page, "setup-2")
    page.get_by_role("button", name="Start the server").click()
    expect(page.get_by_text(f"You are logged in as {ANN}")).to_be_visible(timeout=40_000)
    page.get_by_role("button", name="Send a first message").click()
    expect(page.get_by_text("Your first message is on its way")).to_be_visible()
    shoot(page, "setup-3")
    assert (server.directory / "postroad.toml").exists()
    again = httpx.post(f"{server.base}/api/v1/setup/look", json={"token": server.url[-43:]})
    assert again.status_code == 404, "the token is worth nothing any more"
    basic = httpx.BasicAuth(ANN, PASSWORD)
    for _ in range(50):
        if "A first message" in _subjects(server, basic):
            break
        time.sleep(0.1)
    else:
        pytest.fail("the message did not arrive")
    page.close()


def _subjects(server: FirstRun, basic: httpx.BasicAuth) -> str:
    told = httpx.get(f"{server.base}/jmap/session", auth=basic).json()
    mail = "urn:ietf:params:jmap:mail"
    account = told["primaryAccounts"][mail]
    calls = [
        ["Email/query", {"accountId": account, "filter": {"notKeyword": "$seen"}}, "0"],
        [
            "Email/get",
            {
                "accountId": account,
                "#ids": {"resultOf": "0", "name": "Email/query", "path": "/ids"},
                "properties": ["subject"],
            },
            "1",
        ],
    ]
    body = {"using": ["urn:ietf:params:jmap:core", mail], "methodCalls": calls}
    return httpx.post(f"{server.base}/jmap/api", json=body, auth=basic).text


def test_login_with_a_second_factor(chromium: Browser, server: FirstRun) -> None:
    with chromium.new_context(base_url=server.base) as context:
        page = context.new_page()
        page.goto("/account")
        expect(page).to_have_url(re.compile("/login"), timeout=10_000)
        shoot(page, "login")
        page.get_by_label("Address").fill(ANN)
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("not right")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name=ANN)).to_be_visible()
        page.get_by_role("button", name="Set up a second factor").click()
        secret = base64.b32decode(page.get_by_test_id("secret").inner_text())
        shoot(page, "second-factor")
        page.get_by_role("textbox", name="Code").fill(code(secret, -1))
        page.get_by_role("button", name="Turn on").click()
        recovery = page.get_by_test_id("recovery").locator("span").all_inner_texts()
        assert len(recovery) == 10
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in to your mail")).to_be_visible()
        log_in(page)
        expect(page.get_by_role("heading", name="One more step")).to_be_visible()
        page.get_by_role("textbox", name="Code").fill("000000")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("alert")).to_contain_text("not right")
        page.get_by_role("textbox", name="Code").fill(code(secret))
        page.get_by_role("button", name="Go on").click()
        expect(page).to_have_url(re.compile("/mail/"))
        page.goto("/account")
        page.get_by_role("button", name="Turn off the second factor").click()
        expect(page.get_by_role("button", name="Set up a second factor")).to_be_visible()


def test_passkeys_and_app_passwords(chromium: Browser, server: FirstRun) -> None:
    with chromium.new_context(base_url=server.base) as context:
        page = context.new_page()
        devices = context.new_cdp_session(page)
        devices.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        log_in(page)
        expect(page).to_have_url(re.compile("/mail/"))
        page.goto("/account")
        page.get_by_label("Name of the passkey").fill("My laptop")
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_text("My laptop")).to_be_visible()
        page.get_by_label("Name of the program").fill("Phone")
        page.get_by_role("button", name="Make an app password").click()
        word = page.get_by_test_id("app-password").inner_text()
        told = httpx.get(f"{server.base}/jmap/session", auth=httpx.BasicAuth(ANN, word))
        assert told.status_code == 200
        shoot(page, "account")
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("button", name="Use a passkey").click()
        expect(page).to_have_url(re.compile("/mail/"))
        page.goto("/account")
        page.get_by_role("listitem").filter(has_text="My laptop").get_by_role("button").click()
        expect(page.get_by_text("My laptop")).to_have_count(0)
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("alert")).to_contain_text("not right")


def test_a_program_asks(chromium: Browser, server: FirstRun) -> None:
    back = "http://127.0.0.1:9/back"
    made = httpx.post(
        f"{server.base}/oauth/register", json={"client_name": "Reader", "redirect_uris": [back]}
    ).json()
    verifier = "v" * 50
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": made["client_id"],
        "redirect_uri": back,
        "scope": "jmap",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    with chromium.new_context(base_url=server.base) as context:
        page = context.new_page()
        page.goto(f"/oauth/authorize?{httpx.QueryParams(asked)}")
        page.get_by_label("Address").fill(ANN)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="May “Reader” use your mail?")).to_be_visible()
        shoot(page, "allow")
        with page.expect_request(re.compile(re.escape(back))) as request:
            page.get_by_role("button", name="Allow", exact=True).click()
        query = httpx.URL(request.value.url).params
        form = {
            "grant_type": "authorization_code",
            "code": query["code"],
            "client_id": made["client_id"],
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        got = httpx.post(f"{server.base}/oauth/token", data=form).json()
        bearer = {"Authorization": f"Bearer {got['access_token']}"}
        told = httpx.get(f"{server.base}/jmap/session", headers=bearer).json()
        assert told["username"] == ANN
