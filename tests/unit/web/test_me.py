"""Logging in with a browser, against a whole system."""

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from postroad.model import Address, Scope
from postroad.service import totp
from tests.unit.web.site import Site, running

PASSWORD = "a long enough password"
ANN = Address("ann", "here.test")
OURS = {"X-Postroad": "1"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path) as opened:
        yield opened


def browser(site: Site, agent: str = "Browser/1.0") -> httpx.AsyncClient:
    """A client with a jar for cookies of its own."""
    headers = {**OURS, "Origin": site.url, "User-Agent": agent}
    return httpx.AsyncClient(base_url=site.url, timeout=30, headers=headers)


async def log_in(
    client: httpx.AsyncClient, password: str = PASSWORD, **more: Any
) -> httpx.Response:
    body = {"username": "ann@here.test", "password": password, **more}
    return await client.post("/api/v1/login", json=body)


def kind(answer: httpx.Response) -> str:
    found: str = answer.json()["type"].rpartition(":")[2]
    return found


async def test_in_and_out(site: Site) -> None:
    async with browser(site) as client:
        assert (await client.get("/api/v1/me")).status_code == 401
        answer = await log_in(client)
        assert answer.status_code == 200, answer.text
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("postroad=ps_"), "no prefix over plain HTTP on loopback"
        assert "; HttpOnly" in cookie
        assert "; SameSite=Strict" in cookie
        me = (await client.get("/api/v1/me")).json()
        assert me == answer.json()
        assert me["address"] == "ann@here.test"
        assert me["fresh"]
        assert not me["operator"]
        token = client.cookies["postroad"]
        stored = await site.system.store.sessions.sessions((await site.system.accounts.get(ANN)).id)
        assert token not in str(stored), "the store could not let anybody in"
        assert (await client.post("/api/v1/logout")).status_code == 204
        client.cookies.set("postroad", token, domain="127.0.0.1")
        assert (await client.get("/api/v1/me")).status_code == 401, "the token is worthless"


async def test_the_cookie_behind_tls(site: Site) -> None:
    headers = {**OURS, "Host": "mail.here.test", "Origin": "https://mail.here.test"}
    answer = await site.anyone.post(
        "/api/v1/login",
        json={"username": "ann@here.test", "password": PASSWORD},
        headers=headers,
    )
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-postroad=ps_")
    assert "; Path=/;" in cookie
    assert cookie.endswith("; Secure")
    token = cookie.partition("=")[2].partition(";")[0]
    for name, status in (("__Host-postroad", 200), ("postroad", 401)):
        given = {**headers, "Cookie": f"a=b; {name}={token}"}
        assert (await site.anyone.get("/api/v1/me", headers=given)).status_code == status


async def test_who_may_not(site: Site) -> None:
    async with browser(site) as client:
        for body in (
            {"username": "ann@here.test", "password": "wrong"},
            {"username": "eve@here.test", "password": PASSWORD},
            {"username": "", "password": ""},
        ):
            answer = await client.post("/api/v1/login", json=body)
            assert answer.status_code == 401
            assert kind(answer) == "wrong"
            assert "www-authenticate" not in answer.headers, "a browser would ask by itself"
        assert (await client.post("/api/v1/login", json={"username": 1})).status_code == 400
        long = await client.post("/api/v1/login", content=b"[" + b" " * 70_000 + b"]")
        assert long.status_code == 413
        app_password = await site.system.office.app_passwords.add(
            await site.system.accounts.get(ANN), "phone", tuple(Scope)
        )
        assert (await log_in(client, app_password)).status_code == 401
        client.cookies.set("postroad", "ps_0123456789ABC_none", domain="127.0.0.1")
        assert (await client.get("/api/v1/me")).status_code == 401


async def test_guessing_is_slowed_down(site: Site) -> None:
    async with browser(site) as client:
        for _ in range(5):
            assert (await log_in(client, "wrong")).status_code == 401
        answer = await log_in(client)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
    await site.system.book.flush()
    found = await site.system.office.logins.newest("ann@here.test")
    assert {each.result.value for each in found} == {"wrong", "throttled"}
    assert {each.server for each in found} == {"web"}


async def test_other_sites_change_nothing(site: Site) -> None:
    async with browser(site) as client:
        await log_in(client)
        for headers in (
            {"Origin": "https://evil.test"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            for path in ("/api/v1/logout", "/jmap/api", "/api/v1/me/confirm", "/api/v1/login"):
                answer = await client.post(path, json={}, headers=headers)
                assert answer.status_code == 403, (headers, path)
                assert kind(answer) == "other-site"
        del client.headers["X-Postroad"]
        assert (await client.delete("/api/v1/me/sessions")).status_code == 403
        assert (await client.get("/api/v1/me")).status_code == 200, "reading needs no more"


async def test_sessions_are_listed_and_ended(site: Site) -> None:
    async with browser(site, "Desk") as desk, browser(site, "Phone") as phone:
        await log_in(desk)
        await log_in(phone)
        found = (await desk.get("/api/v1/me/sessions")).json()
        assert {(each["agent"], each["current"]) for each in found} == {
            ("Desk", True),
            ("Phone", False),
        }
        assert {each["client"] for each in found} == {"127.0.0.1"}
        (other,) = [each["id"] for each in found if not each["current"]]
        assert (await desk.delete(f"/api/v1/me/sessions/{other}")).status_code == 204
        assert (await desk.delete("/api/v1/me/sessions/none")).status_code == 404
        assert (await phone.get("/api/v1/me")).status_code == 401
        await log_in(phone)
        assert (await desk.delete("/api/v1/me/sessions")).status_code == 204
        assert (await phone.get("/api/v1/me")).status_code == 401
        await log_in(desk)
        assert len((await desk.get("/api/v1/me/sessions")).json()) == 1, "in place of the first"
        await site.system.accounts.set_password(ANN, "another long password")
        assert (await desk.get("/api/v1/me")).status_code == 401, "a new password ends them all"


async def test_sessions_end_by_themselves(tmp_path: Path) -> None:
    async with running(tmp_path, web={"idle_seconds": 60, "session_seconds": 60}) as site:
        async with browser(site) as client:
            await log_in(client)
            sessions = site.system.office.sessions
            token = client.cookies["postroad"]
            assert await sessions.find(token) is not None
            clock = site.system.office.clock
            now = clock.now()
            clock.now = lambda: now + 61  # type: ignore[method-assign]
            try:
                assert await sessions.find(token) is None
            finally:
                del clock.now


async def test_jmap_takes_the_session(site: Site) -> None:
    async with browser(site) as client:
        assert (await client.get("/.well-known/jmap")).status_code == 401
        await log_in(client)
        told = (await client.get("/.well-known/jmap")).json()
        assert told["username"] == "ann@here.test"
        body = {"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {}, "0"]]}
        assert (await client.post("/jmap/api", json=body)).status_code == 200
        del client.headers["X-Postroad"]
        assert (await client.post("/jmap/api", json=body)).status_code == 403


async def test_a_new_password(site: Site) -> None:
    async with browser(site) as client, browser(site) as other:
        await log_in(client)
        await log_in(other)
        answer = await client.post("/api/v1/me/password", json={"password": "quite another one"})
        assert answer.status_code == 204, answer.text
        assert (await client.get("/api/v1/me")).status_code == 200
        assert (await other.get("/api/v1/me")).status_code == 401
        assert (await log_in(other)).status_code == 401
        assert (await log_in(other, "quite another one")).status_code == 200


async def test_who_is_not_fresh_says_again_who_he_is(site: Site) -> None:
    async with browser(site) as client:
        await log_in(client)
        sessions = site.system.office.sessions
        fresh = sessions.settings
        sessions.settings = replace(fresh, fresh_seconds=0.0)
        answer = await client.post("/api/v1/me/password", json={"password": "quite another one"})
        assert (answer.status_code, kind(answer)) == (403, "confirm")
        sessions.settings = fresh
        wrong = await client.post("/api/v1/me/confirm", json={"password": "wrong"})
        assert (wrong.status_code, kind(wrong)) == (403, "wrong")
        right = await client.post("/api/v1/me/confirm", json={"password": PASSWORD})
        assert right.status_code == 204
        assert (await client.get("/api/v1/me")).json()["fresh"]


async def test_a_second_factor(site: Site) -> None:
    account = await site.system.accounts.get(ANN)
    factors = site.system.office.second_factors
    begun = factors.begin(account)
    secret = base64.b32decode(begun.secret)
    # A step ago, so that the codes of this one and the next are still to be taken.
    codes = await factors.confirm(account, begun.secret, code(secret, -1))
    async with browser(site) as client:
        wanted = await log_in(client)
        assert (wanted.status_code, kind(wanted)) == (401, "code-wanted")
        assert "set-cookie" not in wanted.headers
        assert kind(await log_in(client, "wrong")) == "wrong", "the password comes first"
        assert kind(await log_in(client, code="000000x")) == "wrong"
        right = code(secret, 0)
        assert (await log_in(client, code=right)).status_code == 200
        assert (await log_in(client, code=right)).status_code == 401, "no code is taken twice"
        assert (await log_in(client, code=codes[0].upper())).status_code == 200
        assert (await log_in(client, code=codes[0])).status_code == 401
    basic = httpx.BasicAuth("ann@here.test", PASSWORD)
    assert (await site.anyone.get("/jmap/session", auth=basic)).status_code == 401
    word = await site.system.office.app_passwords.add(account, "phone", tuple(Scope))
    basic = httpx.BasicAuth("ann@here.test", word)
    assert (await site.anyone.get("/jmap/session", auth=basic)).status_code == 200
    await site.system.book.flush()
    results = {each.result.value for each in await site.system.office.logins.newest()}
    assert results == {"ok", "wrong", "code wanted", "out of scope"}


def code(secret: bytes, ahead: int) -> str:
    return totp.code_at(secret, totp.step_of(time.time()) + ahead)
