"""What people log in with, as they change it by the web; passkeys are tested in a browser."""

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.unit.web.site import Site, running
from tests.unit.web.test_me import browser, code, kind, log_in


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path) as opened:
        yield opened


async def test_a_second_factor_by_the_web(site: Site) -> None:
    path = "/api/v1/me/second-factor"
    async with browser(site) as client:
        assert (await client.post(f"{path}/begin")).status_code == 401
        await log_in(client)
        assert (await client.get(path)).json() == {"since": None, "recovery_codes_left": 0}
        begun = (await client.post(f"{path}/begin")).json()
        assert begun["uri"].startswith("otpauth://totp/mail.here.test:ann%40here.test?secret=")
        assert len(begun["qr"]) == len(begun["qr"][0]) > 20
        secret = base64.b32decode(begun["secret"])
        wrong = {"secret": begun["secret"], "code": "000000"}
        assert (await client.post(path, json=wrong)).status_code == 422
        right = {"secret": begun["secret"], "code": code(secret, 0)}
        made = await client.post(path, json=right)
        assert len(made.json()["recovery_codes"]) == 10
        look = (await client.get(path)).json()
        assert look["recovery_codes_left"] == 10
        assert abs(look["since"] - time.time()) < 60
        assert (await client.get("/api/v1/me")).json()["second_factor"] is True
        assert kind(await log_in(client)) == "code-wanted"
        assert (await client.delete(path)).status_code == 204
        assert (await client.delete(path)).status_code == 409
        assert (await log_in(client)).status_code == 200


async def test_app_passwords_by_the_web(site: Site) -> None:
    path = "/api/v1/me/app-passwords"
    async with browser(site) as client:
        await log_in(client)
        made = await client.post(path, json={"name": "my phone", "scopes": ["jmap"]})
        assert made.status_code == 201
        basic = httpx.BasicAuth("ann@here.test", made.json()["password"])
        assert (await site.anyone.get("/jmap/session", auth=basic)).status_code == 200
        (shown,) = (await client.get(path)).json()
        assert (shown["name"], shown["scopes"], shown["password"]) == ("my phone", ["jmap"], "")
        assert (await client.post(path, json={"name": "my phone"})).status_code == 409
        assert (await client.post(path, json={"name": "x", "scopes": ["all"]})).status_code == 400
        assert (await client.delete(f"{path}/my%20phone")).status_code == 204
        assert (await client.delete(f"{path}/my%20phone")).status_code == 409
        assert (await site.anyone.get("/jmap/session", auth=basic)).status_code == 401


async def test_passkeys_need_a_name_and_an_answer(site: Site) -> None:
    path = "/api/v1/me/passkeys"
    async with browser(site) as client:
        await log_in(client)
        answer = await client.post(f"{path}/begin")
        assert answer.status_code == 422, "an address is no host name"
        client.headers["Host"] = "mail.here.test"
        client.headers["Origin"] = "https://mail.here.test"
        asked = (await client.post("/api/v1/login/passkey/begin")).json()
        assert asked["options"]["rpId"] == "mail.here.test"
        assert asked["options"]["userVerification"] == "required"
        for response in ({}, {"id": "x"}, {"id": "AAAA", "rawId": "AAAA", "response": {}}):
            body = {"state": asked["state"], "response": response}
            assert kind(await client.post("/api/v1/login/passkey", json=body)) == "wrong"
        assert (await client.delete(f"{path}/AAAA")).status_code == 401, "another host's cookie"
