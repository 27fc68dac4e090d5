"""Sending, by the port."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from postroad.model import ApiScope, DeliveryState, parse_id
from postroad.ports import MessageQuery
from postroad.web.api.moment import rfc3339
from tests.unit.web.site import Site, running

HELLO: dict[str, Any] = {
    "from": "Ann <ann@here.test>",
    "to": ["Bob <bob@here.test>"],
    "subject": "Hello",
    "text": "Hi\n",
}


async def count(site: Site) -> int:
    found = await site.system.store.labels.find(MessageQuery(sender_domains=("here.test",)), 10_000)
    return len(found)


async def test_a_message_is_taken_delivered_and_has_a_journey(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        response = await site.client.post("/api/v1/messages", json=HELLO | {"tags": ["a"]})
        assert response.status_code == 202, response.text
        receipt = response.json()
        assert receipt["durability"] == "fsync"
        assert receipt["ids"] == [receipt["id"]]
        assert receipt["message_id"] == f"<{receipt['id']}@mail.here.test>"
        message = await site.system.store.queue.message(parse_id(receipt["id"]))
        assert message is not None
        assert message.label is not None
        assert message.label.tags == ("a",)
        stored = await site.system.store.content.read(message.content)
        assert stored.startswith(
            b"Received: from [127.0.0.1] ([127.0.0.1])\r\n\tby mail.here.test with HTTP"
        )
        assert b"\r\nDate: " in stored
        assert (
            b"From: Ann <ann@here.test>\r\nTo: Bob <bob@here.test>\r\nSubject: Hello\r\n" in stored
        )
        (delivery,) = await site.system.store.queue.deliveries(message.id)
        assert delivery.state is DeliveryState.DELIVERED


async def test_blind_copies_attachments_and_times(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        asked = HELLO | {
            "bcc": "bob@far.test",
            "cc": [{"address": "ann@here.test", "name": "Änn"}],
            "html": "<img src='cid:logo'>",
            "attachments": [
                {"content": base64.b64encode(b"x" * 100).decode(), "filename": "a.bin"},
                {"content": "", "content_type": "image/png", "content_id": "logo"},
            ],
            "headers": {"X-Campaign": "autumn"},
            "send_at": "2100-01-01T00:00:00+01:00",
            "ttl": 3600,
        }
        response = await site.client.post("/api/v1/messages", json=asked)
        assert response.status_code == 400
        assert response.json()["errors"][0]["field"] == "send_at"
        near = site.system.office.clock.now() + 5000
        response = await site.client.post(
            "/api/v1/messages", json=asked | {"send_at": rfc3339(near)}
        )
        assert response.status_code == 202, response.text
        number = parse_id(response.json()["id"])
        message = await site.system.store.queue.message(number)
        assert message is not None
        assert message.expires_at == pytest.approx(near + 3600, abs=0.01)
        for delivery in await site.system.store.queue.deliveries(number):
            assert delivery.state is DeliveryState.DUE
            assert delivery.due_at == pytest.approx(near, abs=0.01)
        stored = await site.system.store.content.read(message.content)
        assert b"far.test" not in stored
        assert b"X-Campaign: autumn\r\n" in stored


CASES: list[tuple[dict[str, Any], int, str]] = [
    ({"from": "nonsense"}, 400, "from"),
    ({"from": "ann@elsewhere.test"}, 403, "from"),
    ({"to": []}, 400, "to"),
    ({"to": ["bob@here.test", "no one"]}, 400, "to[1]"),
    ({"to": ["bob@here.test", "nobody@here.test"]}, 422, "to[1]"),
    ({"cc": "nobody@here.test"}, 422, "cc"),
    ({"to": [f"u{n}@far.test" for n in range(10_000)]}, 400, "to"),
    ({"to": "bob@here.test>"}, 400, "to"),
    ({"to": ["Ann <ann@here.test> <bob@here.test>"]}, 400, "to[0]"),
    ({"text": None}, 400, "text"),
    ({"unknown": 1}, 400, "unknown"),
    ({"attachments": [{"filename": "a"}]}, 400, "attachments[0].content"),
    ({"to": [{"name": "Bob"}]}, 400, "to[0].address"),
    ({"metadata": {"customer": 17}}, 400, "metadata"),
    ({"headers": {"Message-ID": "17"}}, 400, "headers.Message-ID"),
    ({"stream": "none"}, 400, "stream"),
    ({"attachments": [{"content": "%%%"}]}, 400, "attachments[0].content"),
    (
        {"attachments": [{"content": "", "content_type": "a"}]},
        400,
        "attachments[0].content_type",
    ),
    ({"send_at": "tomorrow"}, 400, "send_at"),
    ({"send_at": "2026-11-25T15:00:00"}, 400, "send_at"),
    ({"ttl": 1}, 400, "ttl"),
    ({"tags": ["a\n"]}, 400, "tags[0]"),
    ({"metadata": {"a": "b\r\n"}}, 400, "metadata.a"),
    ({"headers": {"Bcc": "x@y.test"}}, 400, "headers"),
    ({"headers": {"idempotency-Key": "a"}}, 400, "headers"),
    ({"send_at": "0001-01-01T00:00:00Z"}, 400, "send_at"),
    ({"headers": {"X-A": "a\r\nBcc: x@y.test"}}, 400, "headers.X-A"),
    ({"headers": {"X\r\nBcc": "a"}}, 400, "headers"),
    ({"subject": "a\r\nBcc: x@y.test"}, 400, "subject"),
    ({"from": "a\r\nBcc: x <ann@here.test>"}, 400, "from.name"),
    ({"from": "ann@here.test\r\nBcc: x"}, 400, "from"),
    ({"to": ["bob@here.test\n"]}, 202, ""),
    ({"to": [{"address": "bob@here.test", "name": "a\0"}]}, 400, "to[0].name"),
    ({"reply_to": "a\r\nb <ann@here.test>"}, 400, "reply_to[0].name"),
    ({"text": "a\0"}, 400, "text"),
]


async def test_what_will_not_do_is_named(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        for change, status, field in CASES:
            response = await site.client.post("/api/v1/messages", json=HELLO | change)
            assert response.status_code == status, (change, response.text)
            if status != 202:
                assert response.headers["content-type"] == "application/problem+json"
                assert response.json()["errors"][0]["field"] == field, response.text
        response = await site.client.post("/api/v1/messages", json={"to": "bob@here.test"})
        assert response.json()["errors"][0]["field"] == "from"
        response = await site.client.post("/api/v1/messages/raw?from=ann@here.test", content=b"x")
        assert response.json()["errors"][0]["field"] == "to"
        assert await count(site) == 1


async def test_bodies_that_are_none(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        for body in (
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff",
            b'{"from":"\\ud800"}',
            b'{"from":"\xff"}',
            b"[" * 100_000,
        ):
            response = await site.client.post("/api/v1/messages", content=body)
            assert response.status_code == 400, body[:20]
        batch = await site.client.post("/api/v1/messages/batch", content=b'[{"from":"\xff"}]')
        assert batch.json()[0]["status"] == 400
        assert await count(site) == 0


async def test_a_batch_tells_of_each(tmp_path: Path) -> None:
    async with running(tmp_path, http={"max_batch": 300}) as site:
        good = HELLO | {"text": "x"}
        batch = [good, good | {"to": "nobody@here.test"}, {"from": 1}, good] + [good] * 250
        response = await site.client.post("/api/v1/messages/batch", json=batch)
        assert response.status_code == 200
        results = response.json()
        assert [each["status"] for each in results] == [202, 422, 400, 202] + [202] * 250
        assert results[1]["problem"]["errors"][0]["field"] == "to"
        assert len({each["receipt"]["id"] for each in results if "receipt" in each}) == 252
        assert await count(site) == 252
        many = await site.client.post("/api/v1/messages/batch", json=[{}] * 301)
        assert many.status_code == 400
        assert (await site.client.post("/api/v1/messages/batch", json=[])).json() == []


async def test_a_message_that_is_written_already(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        written = b"From: ann@here.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHi\r\n"
        url = "/api/v1/messages/raw?from=ann@here.test&to=bob@here.test&to=ann@here.test&tag=t"
        response = await site.client.post(url, content=written)
        assert response.status_code == 202, response.text
        message = await site.system.store.queue.message(parse_id(response.json()["id"]))
        assert message is not None
        assert message.label is not None
        assert (message.label.subject, message.label.tags) == ("Grüße", ("t",))
        stored = await site.system.store.content.read(message.content)
        assert stored.endswith(written)
        for bad in (b"Subject: x\n\nHi\n", b"Subject: x\r\n\r\na\rb\r\n", b"no header"):
            assert (await site.client.post(url, content=bad)).status_code == 400
        other = await site.client.post(url.replace("ann@", "x@y.test,"), content=written)
        assert other.status_code == 400
        only = await site.key(ApiScope.SEND, domains=("here.test",))
        forged = written.replace(b"ann@here", b"boss@there")
        assert (await site.anyone.post(url, content=forged, headers=only)).status_code == 403
        assert (await site.client.post(url, content=forged)).status_code == 403  # not ours at all
        for who in ("boss@there.test", "nobody"):
            sent_by = f"Sender: {who}\r\n".encode() + written
            refused = await site.anyone.post(url, content=sent_by, headers=only)
            assert (refused.status_code, refused.json()["detail"][:7]) == (403, "Sender:")
        agent = b"Sender: bob@here.test\r\n" + written
        assert (await site.anyone.post(url, content=agent, headers=only)).status_code == 202
        assert (await site.anyone.post(url, content=written, headers=only)).status_code == 202


async def test_a_key_of_a_domain_sends_by_its_streams_alone(tmp_path: Path) -> None:
    streams = {"news": {"senders": "news@here.test"}, "own": {"senders": "@other.test"}}
    async with running(tmp_path, streams=streams) as site:
        await site.system.domains.add("other.test")
        only = await site.key(ApiScope.SEND, domains=("other.test",))
        asked = {**HELLO, "from": "any@other.test"}
        raw = b"From: any@other.test\r\n\r\nx\r\n"
        where = "/api/v1/messages/raw?from=any@other.test&to=bob@here.test"
        for stream, status in (("news", 403), ("own", 202), ("default", 202)):
            one = await site.anyone.post(
                "/api/v1/messages", json=asked | {"stream": stream}, headers=only
            )
            assert one.status_code == status, one.text
            written = await site.anyone.post(f"{where}&stream={stream}", content=raw, headers=only)
            assert written.status_code == status, written.text
        assert (
            await site.client.post("/api/v1/messages", json=asked | {"stream": "news"})
        ).status_code == 202


async def test_the_default_stream_is_what_the_operators_rules_say(tmp_path: Path) -> None:
    """Who unsubscribed from a sender's stream is not reached by another name for it."""
    async with running(tmp_path, streams={"own": {"senders": "@here.test"}}) as site:
        asked = HELLO | {"stream": "default"}
        response = await site.client.post("/api/v1/messages", json=asked)
        assert response.status_code == 202, response.text
        message = await site.system.store.queue.message(parse_id(response.json()["id"]))
        assert message is not None
        assert message.stream == "own"


async def test_keys_are_good_for_what_they_are_good_for(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        await site.system.domains.add("other.test")
        read = await site.key(ApiScope.READ)
        only = await site.key(ApiScope.SEND, domains=("other.test",))
        url = "/api/v1/messages"
        assert (await site.anyone.post(url, json=HELLO)).status_code == 401
        assert (await site.anyone.post(url, json=HELLO, headers=read)).status_code == 403
        assert (await site.anyone.post(url, json=HELLO, headers=only)).status_code == 403
        fitting = HELLO | {"from": "any@other.test"}
        assert (await site.anyone.post(url, json=fitting, headers=only)).status_code == 202
        await site.system.office.api_keys.remove("all")
        assert (await site.client.post(url, json=HELLO)).status_code == 401


async def test_a_hundred_at_once_with_one_key_make_one_message(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        asked = [
            site.client.post(
                "/api/v1/messages", json=HELLO, headers={"Idempotency-Key": "order-17"}
            )
            for _ in range(100)
        ]
        answers = await asyncio.gather(*asked)
        assert {each.status_code for each in answers} == {202}
        assert len({each.text for each in answers}) == 1
        assert await count(site) == 1
        # So it is when it leaves by the queue, and for another body.
        far = HELLO | {"to": "bob@far.test"}
        again = await site.client.post(
            "/api/v1/messages", json=far, headers={"Idempotency-Key": "order-17"}
        )
        assert again.status_code == 409
        assert again.json()["type"] == "urn:postroad:problem:idempotency-key"
        answers = await asyncio.gather(
            *(
                site.client.post("/api/v1/messages", json=far, headers={"Idempotency-Key": "b"})
                for _ in range(100)
            )
        )
        assert len({each.text for each in answers}) == 1
        assert await count(site) == 2
        # So it is with another key of the API: the sender is the same.
        other = await site.key(ApiScope.SEND) | {"Idempotency-Key": "b"}
        same = await site.anyone.post("/api/v1/messages", json=far, headers=other)
        assert same.text == answers[0].text
        assert await count(site) == 2
        bad = await site.client.post(
            "/api/v1/messages", json=far, headers={"Idempotency-Key": "a b"}
        )
        assert bad.status_code == 400
        twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        assert (
            await site.client.post("/api/v1/messages", json=far, headers=twice)
        ).status_code == 400


async def test_a_batch_with_a_key_is_sent_once(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        batch = [HELLO, HELLO | {"to": "nobody@here.test"}, HELLO]
        headers = {"Idempotency-Key": "k"}
        first = await site.client.post("/api/v1/messages/batch", json=batch, headers=headers)
        second = await site.client.post("/api/v1/messages/batch", json=batch, headers=headers)
        assert first.text == second.text
        assert await count(site) == 2
        other = [HELLO, HELLO | {"text": "else"}, HELLO | {"text": "else"}]
        third = await site.client.post("/api/v1/messages/batch", json=other, headers=headers)
        assert [each["status"] for each in third.json()] == [202, 202, 409]
        assert third.json()[0] == first.json()[0]
        assert await count(site) == 3


async def test_the_rest_of_a_batch_that_nobody_waits_for_is_left(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        body = json.dumps([HELLO] * 1000).encode()
        head = (
            f"POST /api/v1/messages/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {site.token}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        port = int(site.url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()
        before = -1
        while (now := await count(site)) != before or not now:
            before = now
            for _ in range(5):  # what was begun meanwhile is done
                await site.client.get("/livez")
        assert 0 < now < 1000


async def test_many_batches_at_once_and_single_messages_between(tmp_path: Path) -> None:
    async with running(tmp_path, http={"max_batch": 300}) as site:
        url = "/api/v1/messages"
        batches = [
            asyncio.ensure_future(site.client.post(f"{url}/batch", json=[HELLO] * 300))
            for _ in range(4)
        ]
        single = await site.client.post(url, json=HELLO)
        assert single.status_code == 202
        answers = await asyncio.gather(*batches)
        assert all(each["status"] == 202 for answer in answers for each in answer.json())
        assert await count(site) == 1201
