"""OAuth 2.0 for mail programs, against a whole system: from registration to a message read and sent."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.unit.web.site import Site, running
from tests.unit.web.test_me import browser, log_in

BACK = "http://127.0.0.1:7777/back"
VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    listen = {"submission": ["127.0.0.1:0"]}
    async with running(tmp_path, listen=listen, submission={"auth_without_tls": True}) as opened:
        yield opened


async def register(site: Site, *redirects: str, name: str = "Client") -> httpx.Response:
    body = {"client_name": name, "redirect_uris": list(redirects or (BACK,)), "logo_uri": "x"}
    return await site.anyone.post("/oauth/register", json=body)


def asking(client_id: str, **more: str) -> dict[str, Any]:
    return {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": BACK,
        "scope": "smtp jmap offline_access",
        "state": "s&1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **more,
    }


async def token(site: Site, **form: str) -> httpx.Response:
    return await site.anyone.post("/oauth/token", data=form)


async def allowed(site: Site, client_id: str, **more: str) -> str:
    """Return a code."""
    async with browser(site) as client:
        assert (await log_in(client)).status_code == 200
        body = {**asking(client_id, **more), "allow": True}
        answer = await client.post("/api/v1/me/grants", json=body)
        assert answer.status_code == 200, answer.text
        url = urlsplit(answer.json()["redirect"])
        assert f"{url.scheme}://{url.netloc}{url.path}" == more.get("redirect_uri", BACK)
        found = parse_qs(url.query)
        assert found["state"] == ["s&1"]
        assert found["iss"] == [site.url]
        code: str = found["code"][0]
        return code


async def turned(site: Site, client_id: str, code: str, **more: str) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": client_id,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        **more,
    }
    return await token(site, **form)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_from_registration_to_mail(site: Site) -> None:
    told = (await site.anyone.get("/.well-known/oauth-authorization-server")).json()
    assert told["issuer"] == site.url
    assert told["code_challenge_methods_supported"] == ["S256"]
    made = await register(site)
    assert made.status_code == 201
    client_id = made.json()["client_id"]
    asked = await site.anyone.get("/oauth/authorize", params=asking(client_id))
    assert asked.status_code == 302
    assert asked.headers["location"].startswith("/account/allow?response_type=code&client_id=")
    async with browser(site) as client:
        assert (await client.post("/api/v1/me/grants/ask", json={})).status_code == 401
        await log_in(client)
        shown = (await client.post("/api/v1/me/grants/ask", json=asking(client_id))).json()
        assert shown == {"name": "Client", "host": "127.0.0.1:7777", "scopes": ["jmap", "smtp"]}
        no = await client.post("/api/v1/me/grants", json={**asking(client_id), "allow": False})
        assert "error=access_denied" in no.json()["redirect"]
    code = await allowed(site, client_id)
    answer = await turned(site, client_id, code)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    got = answer.json()
    assert got["token_type"] == "Bearer"
    assert got["scope"] == "jmap smtp"
    session = await site.anyone.get("/jmap/session", headers=bearer(got["access_token"]))
    assert session.json()["username"] == "ann@here.test"
    await logs_in_by_smtp(site, got["access_token"])
    async with browser(site) as client:
        await log_in(client)
        (program,) = (await client.get("/api/v1/me/grants")).json()
        assert program["name"] == "Client"
        assert (await client.delete(f"/api/v1/me/grants/{program['id']}")).status_code == 204
        assert (await client.get("/api/v1/me/grants")).json() == []
    gone = await site.anyone.get("/jmap/session", headers=bearer(got["access_token"]))
    assert gone.status_code == 401, "an access token ends with what it is of"


async def logs_in_by_smtp(site: Site, word: str) -> None:
    host, port = site.system.listening["submission"][0]
    reader, writer = await asyncio.open_connection(host, port)
    await reader.readline()
    writer.write(b"EHLO x\r\n")
    lines = []
    while (line := await reader.readline())[3:4] == b"-":
        lines.append(line)
    assert any(b"OAUTHBEARER" in line for line in [*lines, line])
    message = f"n,a=ann@here.test,\x01auth=Bearer {word}\x01\x01".encode()
    writer.write(b"AUTH OAUTHBEARER " + base64.b64encode(message) + b"\r\n")
    assert (await reader.readline()).startswith(b"235")
    writer.close()
    await writer.wait_closed()


async def test_scopes_hold(site: Site) -> None:
    client_id = (await register(site)).json()["client_id"]
    code = await allowed(site, client_id, scope="smtp")
    word = (await turned(site, client_id, code)).json()["access_token"]
    answer = await site.anyone.get("/jmap/session", headers=bearer(word))
    assert answer.status_code == 401


async def test_refresh_tokens_turn_and_a_stolen_one_ends_all(site: Site) -> None:
    client_id = (await register(site)).json()["client_id"]
    first = (await turned(site, client_id, await allowed(site, client_id))).json()
    refresh = {"grant_type": "refresh_token", "client_id": client_id}
    second = await token(site, **refresh, refresh_token=first["refresh_token"])
    assert second.status_code == 200
    assert second.json()["refresh_token"] != first["refresh_token"]
    again = await token(site, **refresh, refresh_token=first["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    third = await token(site, **refresh, refresh_token=second.json()["refresh_token"])
    assert third.json()["error"] == "invalid_grant", "one of the two was a thief"
    for each in (first, second.json()):
        answer = await site.anyone.get("/jmap/session", headers=bearer(each["access_token"]))
        assert answer.status_code == 401


async def test_a_code_is_for_once_and_for_who_asked(site: Site) -> None:
    client_id = (await register(site)).json()["client_id"]
    other = (await register(site, name="Other")).json()["client_id"]
    code = await allowed(site, client_id)
    assert (await turned(site, other, code)).json()["error"] == "invalid_grant"
    assert (await turned(site, client_id, code)).status_code == 200
    assert (await turned(site, client_id, code)).status_code == 400
    for wrong in (
        {"code_verifier": "w" * 43},
        {"redirect_uri": BACK + "/x"},
        {"code_verifier": ""},
    ):
        code = await allowed(site, client_id)
        assert (await turned(site, client_id, code, **wrong)).status_code == 400
        assert (await turned(site, client_id, code)).status_code == 400, "it is spent"
    assert (await turned(site, client_id, "none")).json()["error"] == "invalid_grant"


async def test_revocation(site: Site) -> None:
    client_id = (await register(site)).json()["client_id"]
    got = (await turned(site, client_id, await allowed(site, client_id))).json()
    for word in ("none", got["refresh_token"]):
        answer = await site.anyone.post("/oauth/revoke", data={"token": word})
        assert answer.status_code == 200
    answer = await site.anyone.get("/jmap/session", headers=bearer(got["access_token"]))
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "redirect",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://evil.test/back",
        "https://x.test/#fragment",
        "https://user@x.test/",
        "https:///path",
        "file:///etc/passwd",
        "https://x.test/a b",
        "https://x.test/\r\nX: y",
        "",
    ],
)
async def test_where_codes_do_not_go(site: Site, redirect: str) -> None:
    answer = await register(site, redirect)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


async def test_what_is_refused(site: Site) -> None:
    client_id = (await register(site, BACK, "com.example.app:/back")).json()["client_id"]
    async with browser(site) as client:
        await log_in(client)
        for wrong in (
            {"client_id": "x" + client_id},
            {"redirect_uri": "http://127.0.0.1:7777/other"},
            {"redirect_uri": "http://127.0.0.1.evil.test/back"},
            {"response_type": "token"},
            {"code_challenge_method": "plain"},
            {"code_challenge": "short"},
            {"scope": "root"},
        ):
            body = {**asking(client_id), **wrong, "allow": True}
            answer = await client.post("/api/v1/me/grants", json=body)
            assert answer.status_code == 400, wrong
        good = {**asking(client_id), "redirect_uri": "http://127.0.0.1:1/back", "allow": True}
        assert (await client.post("/api/v1/me/grants", json=good)).status_code == 200, "any port"
    for name, redirects in (("", [BACK]), ("x" * 65, [BACK]), ("x", []), ("x", [BACK] * 6)):
        body = {"client_name": name, "redirect_uris": redirects}
        assert (await site.anyone.post("/oauth/register", json=body)).status_code == 400
    twice = await site.anyone.post("/oauth/token", content=b"grant_type=a&grant_type=b")
    assert twice.json()["error"] == "invalid_request"
    assert (await token(site, grant_type="password")).json()["error"] == "unsupported_grant_type"
