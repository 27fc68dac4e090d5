"""Senders in the lab: who they are is seen at the receiver, and nobody else gets in under their name."""

import asyncio
import smtplib
from collections.abc import AsyncIterator

import pytest

from postroad.lab.world import World
from postroad.message.header import Header

ALICE, BOB = "alice@sender.test", "bob@receiver.test"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        await world.add_domain("sender.test", accounts=["alice"])
        await world.add_domain("receiver.test", accounts=["bob"])
        yield world


async def test_a_message_shows_spf_dkim_and_dmarc_pass(world: World) -> None:
    await world.send(ALICE, BOB, subject="Hello", text="Hello\n" * 100_000)
    await world.wait_for(BOB)
    (message,), _ = await world.read(BOB)
    results = Header.parse(message).get("Authentication-Results") or ""
    assert results.startswith("mx1.receiver.test;")
    for word in ("spf=pass", "dkim=pass", "header.d=sender.test", "dmarc=pass"):
        assert word in results
    (arrival, *_) = await world.site_of(BOB).office.journeys.find(address=BOB)
    journey = await world.site_of(BOB).office.journeys.of(arrival.id)
    checks = [line.text for line in journey.lines if line.what == "check"]
    assert [text.partition(":")[0] for text in checks] == ["spf", "dkim", "dmarc"]
    assert all(": pass" in text for text in checks)


def forge(where: tuple[str, int], sender: str) -> tuple[int, bytes]:
    """Say to the receiver what the sender's server would say; return its last reply."""
    with smtplib.SMTP(*where, local_hostname="mx1.sender.test", timeout=10) as client:
        client.ehlo()
        client.mail(sender)
        client.rcpt(BOB)
        return client.data(b"From: Alice <alice@sender.test>\r\nSubject: money\r\n\r\nSend it.\r\n")


@pytest.mark.parametrize("sender", [ALICE, "", "mallory@elsewhere.test"])
async def test_a_forged_message_is_refused(world: World, sender: str) -> None:
    code, text = await asyncio.to_thread(forge, world.site_of(BOB).mx, sender)
    assert code == 550
    assert text.startswith(b"5.7.1 Neither SPF nor DKIM proves that this mail is from sender.test")
    assert await world.site_of(BOB).inbox(world.credentials(BOB)) == 0


async def test_a_report_of_ours_is_recognised(world: World) -> None:
    """A bounce has the null sender and comes from the server's own name."""
    await world.add_domain("third.test", accounts=["carol"])
    carol = "carol@third.test"
    await world.send(carol, "nobody@receiver.test", subject="to nobody")
    # The receiver refuses at RCPT, so carol's own server reports; that stays at home and is signed.
    await world.wait_for(carol)
    (message,), _ = await world.read(carol)
    assert b"DKIM-Signature:" in message
    assert b"d=third.test;" in message
