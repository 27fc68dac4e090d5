"""Idempotency keys by SMTP, at the intake."""

import json
from pathlib import Path

import pytest

from postroad.model import (
    Accepted as AcceptedChange,
)
from postroad.model import (
    Address,
    ApiScope,
    Envelope,
    Origin,
    Recipient,
    Reply,
    ServerKind,
    parse_id,
)
from postroad.service.once import OTHER_MESSAGE, is_key, key_in, without_key
from postroad.service.recipients import Accepted
from tests.unit.web.site import Site, running

ANN, BOB = Address("ann", "here.test"), Address("bob", "here.test")
USER = Origin(ServerKind.SUBMISSION, account="ann@here.test")


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (b"Subject: x\r\n\r\n", None),
        (b"Subject: idempotency-key: x\r\n\r\n", None),
        (b"A: b\r\nIDEMPOTENCY-Key : a1 \r\n\r\n", "a1"),
        (b"Idempotency-Key:\r\n\r\n", ""),
        (b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n", ""),
    ],
)
def test_the_field(header: bytes, key: str | None) -> None:
    assert key_in(header) == key


def test_the_field_is_taken_out_whole() -> None:
    header = b"A: b\r\nIdempotency-Key:\r\n a1\r\nC: d\r\n\r\n"
    assert without_key(header) == b"A: b\r\nC: d\r\n\r\n"
    assert without_key(b"Subject: idempotency-key: x\r\n\r\n") == (
        b"Subject: idempotency-key: x\r\n\r\n"
    )


def test_what_can_be_a_key() -> None:
    assert is_key("a" * 255)
    for bad in ("", "a" * 256, "a b", "ä", "a\n"):
        assert not is_key(bad)


async def submit(
    site: Site, data: bytes, origin: Origin = USER, *, sender: Address = ANN, to: Address = BOB
) -> Reply:
    intake = site.system.intake
    targets = await intake.recipients.resolve(to)
    assert not isinstance(targets, Reply)
    accepted = [Accepted(Recipient(to), targets)]
    incoming = intake.begin(Envelope(sender), accepted, origin)
    for start in range(0, len(data), 7):
        incoming.write(data[start : start + 7])
    return await incoming.finish()


WRITTEN = b"Idempotency-Key: a1\r\nSubject: x\r\n\r\nHello there\r\n"


async def test_a_user_sends_a_message_once(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        first = await submit(site, WRITTEN)
        assert first.code == 250
        assert await submit(site, WRITTEN) == first
        other = await submit(site, WRITTEN + b"more\r\n")
        assert (other.code, other.enhanced) == (554, "5.6.0")
        again = await submit(site, WRITTEN.replace(b"a1", b"a2"))
        assert again.code == 250
        assert again != first
        for wrong in (b"a 1", b"a1\r\nIdempotency-Key: a1"):
            bad = await submit(site, WRITTEN.replace(b"a1", wrong))
            assert (bad.code, bad.enhanced) == (554, "5.6.0")
        # Strangers have no keys.
        stranger = Origin(ServerKind.MX, client="192.0.2.1")
        assert await submit(site, WRITTEN, stranger) != await submit(site, WRITTEN, stranger)


async def test_a_key_is_the_senders_and_who_asks(tmp_path: Path) -> None:
    somebody = Origin(ServerKind.SUBMISSION, account="bob@here.test")
    async with running(tmp_path) as site:
        first = await submit(site, WRITTEN)
        # An address that two accounts send by has its keys in common.
        assert await submit(site, WRITTEN, somebody) == first
        # Somebody else's key of the same name is another, and tells nothing of the first.
        theirs = await submit(site, WRITTEN + b"x", somebody, sender=BOB)
        assert (theirs.code, theirs != first) == (250, True)
        # Who asks for something else by another sender is told.
        changed = await submit(site, WRITTEN + b"x", sender=Address("ann", "x.test"))
        assert changed == OTHER_MESSAGE
    async with running(tmp_path / "b", submission={"check_sender": False}) as site:
        # Nobody proved that the sender is theirs.
        assert await submit(site, WRITTEN) != await submit(site, WRITTEN, somebody)


async def test_nobody_but_the_server_sees_the_key(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        reply = await submit(site, WRITTEN)
        number = parse_id(reply.text.split()[-1])
        message = await site.system.store.queue.message(number)
        assert message is not None
        stored = await site.system.store.content.read(message.content, 0, message.content.size)
        assert b"a1" not in stored
        assert stored.endswith(b"Subject: x\r\n\r\nHello there\r\n")
        (told, *_) = await site.system.store.journey.events(number)
        assert isinstance(told.change, AcceptedChange)
        assert [each.reason.split(";")[0] for each in told.change.rulings] == ["a1"]


async def test_a_message_id_can_be_a_key(tmp_path: Path) -> None:
    written = b"Message-ID: <1@here.test>\r\n\r\nHello\r\n"
    async with running(tmp_path, submission={"once_by_message_id": True}) as site:
        first = await submit(site, written)
        assert await submit(site, written) == first
        assert (await submit(site, written + b"more\r\n")).code == 554
        # Mail programs send a message in parts, to some recipients each.
        assert (await submit(site, written, to=ANN)).code == 250
        message = await site.system.store.queue.message(parse_id(first.text.split()[-1]))
        assert message is not None
        assert message.message_id == "<1@here.test>"
    async with running(tmp_path / "b") as site:
        assert await submit(site, written) != await submit(site, written)


async def test_one_key_across_smtp_and_http(tmp_path: Path) -> None:
    key, url = {"Idempotency-Key": "a1"}, "/api/v1/messages"
    raw = f"{url}/raw?from=ann@here.test&to=bob@here.test"
    plain = WRITTEN.partition(b"\r\n")[2]
    async with running(tmp_path) as site:
        by_smtp = await submit(site, WRITTEN)
        by_http = await site.client.post(raw, content=plain, headers=key)
        assert by_http.status_code == 202, by_http.text
        number = by_http.json()["id"]
        assert by_smtp.text == f"Ok: queued as {number}"
        # The field in a message by HTTP is a key as well.
        assert (await site.client.post(raw, content=WRITTEN)).json()["id"] == number
        # What JSON says can never be the same bytes: there is no second message, and that is told.
        asked = {
            "from": "ann@here.test",
            "to": "bob@here.test",
            "subject": "x",
            "text": "Hello there",
        }
        other = await site.client.post(url, json=asked, headers=key)
        assert (other.status_code, number in other.json()["detail"]) == (409, True)
        # What only HTTP can ask makes it another request.
        tagged = await site.client.post(f"{raw}&tag=a", content=plain, headers=key)
        assert tagged.status_code == 409
        # And the other way round.
        key = {"Idempotency-Key": "a2"}
        first = await site.client.post(raw, content=plain, headers=key)
        again = await submit(site, WRITTEN.replace(b"a1", b"a2"))
        assert again.text == f"Ok: queued as {first.json()['id']}"
        key = {"Idempotency-Key": "a3"}
        assert (await site.client.post(url, json=asked, headers=key)).status_code == 202
        assert (await submit(site, WRITTEN.replace(b"a1", b"a3"))) == OTHER_MESSAGE


async def test_a_key_of_the_api_that_is_replaced_amid_retries(tmp_path: Path) -> None:
    asked = {"from": "ann@here.test", "to": "bob@here.test", "text": "x"}
    key, url = {"Idempotency-Key": "a1"}, "/api/v1/messages"
    async with running(tmp_path) as site:
        await site.system.domains.add("other.test")
        first = await site.client.post(url, json=asked, headers=key)
        fresh = await site.key(ApiScope.SEND) | key
        again = await site.anyone.post(url, content=json.dumps(asked, indent=4), headers=fresh)
        assert (again.status_code, again.text) == (202, first.text)
        # In a batch each message has a key of its own, as if it was sent alone.
        part = await site.client.post(url, json=asked, headers={"Idempotency-Key": "b/1"})
        batch = await site.client.post(
            f"{url}/batch", json=[asked, asked], headers={"Idempotency-Key": "b"}
        )
        assert [each["receipt"]["id"] == part.json()["id"] for each in batch.json()] == [
            False,
            True,
        ]
        # Another sender with the key of a request that went before.
        changed = asked | {"from": "bob@here.test"}
        assert (await site.client.post(url, json=changed, headers=key)).status_code == 409
        # Another tenant neither hits it nor learns of it.
        theirs = await site.key(ApiScope.SEND, domains=("other.test",)) | key
        assert (await site.anyone.post(url, json=asked, headers=theirs)).status_code == 403
        own = asked | {"from": "x@other.test"}
        assert (await site.anyone.post(url, json=own, headers=theirs)).status_code == 202
