"""JMAP over HTTP, against a whole system."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from postroad.model import Address, Envelope, Origin, Recipient, ServerKind
from tests.unit.web.site import Site, running

PASSWORD = "a long enough password"
USING = [f"urn:ietf:params:jmap:{name}" for name in ("core", "mail", "submission")]


def basic(name: str = "ann@here.test", password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path) as opened:
        yield opened


async def session(site: Site, **more: str) -> dict[str, Any]:
    answer = await site.anyone.get("/.well-known/jmap", headers=basic(**more))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def call(site: Site, name: str, **arguments: Any) -> dict[str, Any]:
    told = await session(site)
    account = told["primaryAccounts"]["urn:ietf:params:jmap:mail"]
    body = {"using": USING, "methodCalls": [[name, {"accountId": account, **arguments}, "0"]]}
    answer = await site.anyone.post(told["apiUrl"], json=body, headers=basic())
    assert answer.status_code == 200, answer.text
    (response,) = answer.json()["methodResponses"]
    assert response[0] == name, response
    found: dict[str, Any] = response[1]
    return found


async def send(site: Site, data: bytes = b"Subject: hi\r\n\r\nHello\r\n") -> None:
    envelope = Envelope(None, (Recipient(Address("ann", "here.test")),))
    reply = await site.system.intake.submit(envelope, data, Origin(ServerKind.LOCAL))
    assert reply.code == 250


async def test_the_session(site: Site) -> None:
    told = await session(site)
    assert told["apiUrl"] == f"{site.url}/jmap/api"
    other = await site.anyone.get("/jmap/session", headers=basic())
    assert other.json() == told
    assert "no-store" in other.headers["cache-control"]


async def test_who_may_not(site: Site) -> None:
    for headers in (
        {},
        basic(password="wrong"),
        basic("eve@here.test"),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic YW5u"},
        {"Authorization": "Bearer none"},
        {"Authorization": f"Bearer {site.token}"},
        {"Authorization": "Digest x"},
    ):
        for method, path in [
            ("GET", "/.well-known/jmap"),
            ("POST", "/jmap/api"),
            ("POST", "/jmap/upload/a1"),
            ("GET", "/jmap/download/a1/b/c"),
            ("GET", "/jmap/events"),
        ]:
            answer = await site.anyone.request(method, path, headers=headers)
            assert answer.status_code in (401, 429), (method, path)
            assert answer.status_code == 429 or "Basic" in answer.headers["www-authenticate"]


async def test_guessing_is_slowed_down(site: Site) -> None:
    statuses = []
    for _ in range(40):
        answer = await site.anyone.get("/jmap/session", headers=basic(password="wrong"))
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
            break
    assert statuses[0] == 401
    assert statuses[-1] == 429


async def test_a_message_comes_and_is_read(site: Site) -> None:
    await send(site)
    found = await call(site, "Email/query")
    (email,) = (await call(site, "Email/get", ids=found["ids"]))["list"]
    assert email["subject"] == "hi"
    (value,) = (await call(site, "Email/get", ids=found["ids"], fetchTextBodyValues=True))["list"][
        0
    ]["bodyValues"].values()
    assert value["value"] == "Hello\n"


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b"{", "application/json", "notJSON"),
        (b"{}", "application/json", "notRequest"),
        (b'{"using":["x"],"methodCalls":[]}', "application/json", "unknownCapability"),
        (b'{"using":[],"methodCalls":[]}', "text/plain", "notJSON"),
        (b" " * (11 * 2**20), "application/json", "limit"),
    ],
    ids=["json", "request", "capability", "type", "size"],
)
async def test_requests_that_are_none(site: Site, body: bytes, kind: str, expected: str) -> None:
    headers = {**basic(), "Content-Type": kind}
    answer = await site.anyone.post("/jmap/api", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["type"] == f"urn:ietf:params:jmap:error:{expected}"


async def test_up_and_down_in_pieces(site: Site) -> None:
    told = await session(site)
    account = told["primaryAccounts"][USING[0]]
    url = told["uploadUrl"].format(accountId=account)
    data = bytes(range(256)) * 8_000

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 50_000):
            yield data[start : start + 50_000]

    headers = {**basic(), "Content-Type": "image/png"}
    answer = await site.anyone.post(url, content=pieces(), headers=headers)
    assert answer.status_code == 201, answer.text
    blob = answer.json()
    assert (blob["size"], blob["type"]) == (len(data), "image/png")
    names = {"accountId": account, "blobId": blob["blobId"], "name": "a b.png", "type": "image/png"}
    answer = await site.anyone.get(told["downloadUrl"].format(**names), headers=basic())
    assert answer.content == data
    assert answer.headers["content-length"] == str(len(data))
    assert answer.headers["content-type"] == "image/png"
    assert "a%20b.png" in answer.headers["content-disposition"]
    assert "sandbox" in answer.headers["content-security-policy"]
    wrong = {**names, "type": "text/html\r\nX: y"}
    answer = await site.anyone.get(
        told["downloadUrl"].replace("{type}", "text%0d%0aX").format(**wrong), headers=basic()
    )
    assert answer.headers["content-type"] == "application/octet-stream"
    for other in ({"blobId": "u0000000000001"}, {"accountId": "a0000000000001"}):
        url = told["downloadUrl"].format(**{**names, **other})
        assert (await site.anyone.get(url, headers=basic())).status_code == 404
        answer = await site.anyone.get(url, headers=basic("bob@here.test"))
        assert answer.status_code == 404, "it is nobody else's"


async def test_an_upload_that_is_too_large(tmp_path: Path) -> None:
    async with running(tmp_path, jmap={"max_upload_octets": 2000}) as site:
        told = await session(site)
        url = told["uploadUrl"].format(accountId=told["primaryAccounts"][USING[0]])
        answer = await site.anyone.post(url, content=b"x" * 2001, headers=basic())
        assert answer.status_code == 413
        assert answer.json()["limit"] == "maxSizeUpload"
        assert (
            await site.anyone.post(url, content=b"x" * 2000, headers=basic())
        ).status_code == 201


async def events(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    event: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if not line and event:
            yield event
            event = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


async def test_new_mail_is_told_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, jmap={"look_seconds": 0.05}) as site:
        told = await session(site)
        before = (await call(site, "Email/query"))["queryState"]
        url = told["eventSourceUrl"].format(types="Email,Mailbox", closeafter="state", ping="0")
        async with site.anyone.stream("GET", url, headers=basic()) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            await send(site)
            async with asyncio.timeout(10):
                (event,) = [event async for event in events(answer)]
        assert event["event"] == "state"
        data = json.loads(event["data"])
        ((account, states),) = data["changed"].items()
        assert set(states) == {"Email", "Mailbox"}
        assert states["Email"] != before
        assert account == told["primaryAccounts"][USING[1]]
        headers = {**basic(), "Last-Event-ID": before}
        async with site.anyone.stream("GET", url, headers=headers) as answer:
            async with asyncio.timeout(10):
                assert [json.loads(each["data"]) async for each in events(answer)] == [data]


async def test_pings_and_a_client_that_goes(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        answer = await site.anyone.get("/jmap/events?ping=x", headers=basic())
        assert answer.status_code == 400
        for _ in range(3):
            async with site.anyone.stream("GET", "/jmap/events", headers=basic()) as stream:
                assert stream.status_code == 200


async def test_it_can_be_off_and_elsewhere(tmp_path: Path) -> None:
    async with running(tmp_path / "a", jmap={"enabled": False}) as site:
        answer = await site.anyone.get("/.well-known/jmap", headers=basic())
        assert answer.status_code == 404
    async with running(tmp_path / "b", jmap={"url": "https://mail.here.test"}) as site:
        assert (await session(site))["apiUrl"] == "https://mail.here.test/jmap/api"


async def test_a_server_that_stops_does_not_wait_for_listeners(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        async with site.anyone.stream("GET", "/jmap/events", headers=basic()) as answer:
            assert answer.status_code == 200
            async with asyncio.timeout(8):
                await site.system.stop(10.0)
