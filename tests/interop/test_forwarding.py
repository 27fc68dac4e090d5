"""Mail that an alias leads outside again: the next server sees a sender of ours, bounces come home."""

from collections.abc import AsyncIterator

import pytest

from postroad.lab.clients import ClientFailed
from postroad.lab.world import World, words
from postroad.model import Address
from postroad.trust.srs import is_srs


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        for domain in ("there.test", "here.test", "away.test"):
            await world.add_domain(domain, ["jo"])
        aliases = world.sites["here.test"].office.aliases
        await aliases.add(Address("team", "here.test"), [Address("jo", "away.test")])
        await aliases.add(Address("lost", "here.test"), [Address("gone", "away.test")])
        await aliases.add(Address("mixed", "here.test"), [Address("jo", "here.test")])
        yield world


async def test_the_next_server_sees_a_sender_of_ours(world: World) -> None:
    await world.send("jo@there.test", "team@here.test", subject="forwarded")
    (message,) = await world.wait_for("jo@away.test")
    path = next(line for line in message.splitlines() if line.startswith(b"Return-Path:"))
    sender = Address.parse(path.decode().split("<")[1].rstrip(">"))
    assert sender.domain == "here.test"
    assert is_srs(sender.local_part)
    assert sender.local_part.endswith("=there.test=jo")
    # What we found of the sender is sealed, and the next server has validated the seal.
    assert b"\r\nARC-Seal: i=1; a=ed25519-sha256; cv=none;\r\n\td=here.test;" in message
    results = message.partition(b"ARC-Seal")[0]
    for word in (b"spf=pass", b"dkim=pass", b"arc=pass", b"dmarc=pass"):
        assert word in results
    # What is in the message is as its author wrote it.
    assert b"From: jo@there.test" in message or b"From: <jo@there.test>" in message


async def test_a_bounce_of_another_server_comes_home(world: World) -> None:
    # away.test takes the mail, and only then finds no way on.
    away = world.sites["away.test"].office.aliases
    await away.add(Address("gone", "away.test"), [Address("x", "nowhere.test")])
    await world.send("jo@there.test", "lost@here.test", subject="bounced")
    (report,) = await world.wait_for("jo@there.test")
    assert b"Content-Type: multipart/report" in report
    assert b"x@nowhere.test" in report


async def test_a_refusal_is_reported_to_the_true_sender(world: World) -> None:
    await world.send("jo@there.test", "lost@here.test", subject="refused")
    (report,) = await world.wait_for("jo@there.test")
    assert b"gone@away.test" in report


async def test_mail_of_our_own_keeps_its_sender(world: World) -> None:
    sent = await world.send("jo@here.test", "team@here.test")
    (message,) = await world.wait_for("jo@away.test")
    assert b"Return-Path: <jo@here.test>" in message
    assert "passed on" not in words(await world.settled(sent))


async def test_a_forged_way_back_is_refused(world: World) -> None:
    with pytest.raises(ClientFailed, match=r"550 5\.1\.1"):
        await world.send("jo@here.test", "SRS0=abcdef=ab=victim.test=x@here.test")
