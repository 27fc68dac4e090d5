"""The road of a message and how safe a way is, asked over HTTP of a whole system."""

import asyncio
import json
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.serving import serving
from tests.unit.web.site import Site, running

ANN = ("ann@here.test", "a long enough password")
BOB = ("bob@here.test", "a long enough password")
USING = [f"urn:ietf:params:jmap:{name}" for name in ("core", "mail", "submission")]
MAIL = b"From: Eve <eve@else.test>\r\nTo: ann@here.test\r\nSubject: hi\r\n\r\nHello\r\n"
RECORDS: dict[str, dict[str, list[str]]] = {
    "us.test": {"MX": ["10 mx.us.test"]},
    "mx.us.test": {"A": ["127.0.0.1"]},
    "null.test": {"MX": ["0 ."]},
    "else.test": {"TXT": ["v=spf1 ip4:127.0.0.1 -all"]},
}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(tmp_path / "us") as us:
        async with running(
            tmp_path / "here",
            records=RECORDS,
            listen={"mx": ["127.0.0.1:0"]},
            trust={"verify": True},
            delivery={"port": us.listening["mx"][0][1], "allow_private": True},
            jmap={"look_seconds": 0.05},
        ) as opened:
            yield opened


async def call(site: Site, who: tuple[str, str], *calls: Any) -> list[dict[str, Any]]:
    told = (await site.anyone.get("/jmap/session", auth=who)).json()
    number = next(iter(told["accounts"]))
    made = [[name, {"accountId": number, **given}, str(i)] for i, (name, given) in enumerate(calls)]
    body = {"using": USING, "methodCalls": made}
    answer = (await site.anyone.post("/jmap/api", json=body, auth=who)).json()
    return [each[1] for each in answer["methodResponses"]]


async def newest(site: Site, who: tuple[str, str]) -> str:
    for _ in range(200):
        (found,) = await call(site, who, ("Email/query", {}))
        if found["ids"]:
            return str(found["ids"][0])
        await asyncio.sleep(0.02)
    raise AssertionError("no mail came")


async def road(site: Site, email: str, who: tuple[str, str] = ANN, query: str = "") -> Any:
    answer = await site.anyone.get(f"/api/v1/me/road/{email}{query}", auth=who)
    assert answer.status_code == 200, answer.text
    return answer.json()


def bring(site: Site) -> None:
    with smtplib.SMTP(*site.system.listening["mx"][0]) as client:
        client.sendmail("eve@else.test", [ANN[0], BOB[0]], MAIL)


async def send(site: Site, *recipients: str) -> str:
    boxes, identities = await call(site, ANN, ("Mailbox/get", {}), ("Identity/get", {}))
    drafts = next(each["id"] for each in boxes["list"] if each["role"] == "drafts")
    made, sent = await call(
        site,
        ANN,
        (
            "Email/set",
            {
                "create": {
                    "d": {
                        "mailboxIds": {drafts: True},
                        "from": [{"email": ANN[0]}],
                        "to": [{"email": each} for each in recipients],
                        "subject": "out",
                        "bodyValues": {"t": {"value": "Hello"}},
                        "textBody": [{"partId": "t", "type": "text/plain"}],
                    }
                }
            },
        ),
        (
            "EmailSubmission/set",
            {"create": {"s": {"emailId": "#d", "identityId": identities["list"][0]["id"]}}},
        ),
    )
    assert "s" in sent["created"], sent
    return str(made["created"]["d"]["id"])


async def test_the_road_of_mail_from_outside(site: Site) -> None:
    await asyncio.to_thread(bring, site)
    email = await newest(site, ANN)
    found = await road(site, email)
    assert (found["kind"], found["done"]) == ("received", True)
    keys = [each["key"] for each in found["stages"]]
    assert keys == ["connected", "recognised", "accepted", "split", "stored", "read"]
    assert all(each["at"] and (each["seconds"] or 0) >= 0 for each in found["stages"][:-1])
    assert found["stages"][-1]["state"] == "next"
    assert "not encrypted" in found["stages"][0]["text"]
    assert found["trust"]["level"] == "partly"
    assert found["trust"]["domain"] == "else.test"
    assert found["trust"]["encrypted"] is False
    spf = next(each for each in found["trust"]["proofs"] if each["method"] == "spf")
    assert (spf["result"], spf["domain"]) == ("pass", "else.test")
    assert "bob" not in json.dumps(found), "who else got it is nobody's business"
    await call(site, ANN, ("Email/set", {"update": {email: {"keywords/$seen": True}}}))
    assert (await road(site, email))["stages"][-1]["state"] == "done"


async def test_whose_roads_they_are(site: Site) -> None:
    await asyncio.to_thread(bring, site)
    email = await newest(site, ANN)
    path = f"/api/v1/me/road/{email}"
    for suffix in ("", "/events"):
        assert (await site.anyone.get(path + suffix)).status_code == 401
        assert (await site.client.get(path + suffix)).status_code == 401
        assert (await site.anyone.get(path + suffix, auth=BOB)).status_code == 404
    assert (await site.anyone.get("/api/v1/me/road/nothing", auth=ANN)).status_code == 404
    assert (await site.anyone.get(f"{path}?dialogue=2", auth=ANN)).status_code == 400
    theirs = await road(site, await newest(site, BOB), BOB)
    assert "ann" not in json.dumps(theirs["stages"])


async def test_the_road_of_sent_mail_live_and_with_what_was_said(site: Site) -> None:
    email = await send(site, "bob@us.test", BOB[0], "x@null.test")
    async with site.anyone.stream("GET", f"/api/v1/me/road/{email}/events", auth=ANN) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        roads = [
            json.loads(line[6:]) async for line in stream.aiter_lines() if line[:6] == "data: "
        ]
    found = roads[-1]
    assert found["done"], "the stream ends where the road does"
    assert [each["key"] for each in found["stages"]] == ["submitted", "accepted", "split"]
    far, here, nowhere = found["branches"]
    assert (far["recipient"], far["state"], here["state"]) == (
        "bob@us.test",
        "delivered",
        "delivered",
    )
    assert [each["key"] for each in far["stages"]] == ["split", "dns", "connected", "handed"]
    assert [each["key"] for each in here["stages"]] == ["split", "stored"]
    times = [each["at"] for each in far["stages"]]
    assert times == sorted(times)
    (attempt,) = far["attempts"]
    assert (attempt["host"], attempt["encrypted"], attempt["ended"]) == (
        "mx.us.test",
        True,
        "delivered",
    )
    assert attempt["tls"].startswith("TLS 1.")
    assert "dialogue" not in attempt
    assert nowhere["state"] == "bounced"
    assert nowhere["stages"][-1]["state"] == "failed"
    told = await road(site, email, query="?dialogue=1")
    said = {each["what"] for each in told["branches"][0]["attempts"][0]["dialogue"]}
    assert {"lookup", "connect", "tls"} <= said
    assert told["trust"]["level"] == "own"


async def test_what_was_brought_along_has_no_road(site: Site) -> None:
    told = (await site.anyone.get("/jmap/session", auth=ANN)).json()
    number = next(iter(told["accounts"]))
    forged = b"Authentication-Results: mail.here.test; dmarc=pass header.from=bank.test\r\n" + MAIL
    blob = (await site.anyone.post(f"/jmap/upload/{number}", content=forged, auth=ANN)).json()
    (boxes,) = await call(site, ANN, ("Mailbox/get", {}))
    box = boxes["list"][0]["id"]
    (made,) = await call(
        site,
        ANN,
        ("Email/import", {"emails": {"e": {"blobId": blob["blobId"], "mailboxIds": {box: True}}}}),
    )
    found = await road(site, made["created"]["e"]["id"])
    assert found["trust"]["level"] == "unknown"
    assert [each["key"] for each in found["stages"]] == ["stored"]


async def test_how_safe_ways_are(site: Site) -> None:
    asked = ["bob@here.test", "nobody@here.test", "x@us.test", "x@null.test", "no address"]
    path = "/api/v1/me/reach"
    assert (await site.anyone.post(path, json={"recipients": asked})).status_code == 401
    answer = await site.anyone.post(path, json={"recipients": asked}, auth=ANN)
    found = {each["address"]: each["safety"] for each in answer.json()["recipients"]}
    assert found == {
        "bob@here.test": "local",
        "nobody@here.test": "unreachable",
        "x@us.test": "opportunistic",
        "x@null.test": "unreachable",
        "no address": "unreachable",
    }
    many = {"recipients": ["x@us.test"] * 101}
    for body in (many, {}, {"recipients": [1]}, {"recipients": [], "more": 1}):
        assert (await site.anyone.post(path, json=body, auth=ANN)).status_code == 400
