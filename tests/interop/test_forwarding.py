"""Mail that an alias leads outside again: the next server sees a sender of ours, bounces come home."""

import asyncio
import smtplib
from collections.abc import AsyncIterator, Sequence

import pytest

from postroad.lab.clients import ClientFailed
from postroad.lab.world import World, words
from postroad.model import Address
from postroad.trust.srs import is_srs

LONG = "l" * 60
"""A local part that leaves no room for the way back to it."""


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        for domain in ("there.test", "here.test", "away.test"):
            await world.add_domain(domain, ["jo", LONG])
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


@pytest.mark.parametrize("name", ["jo", LONG])
async def test_a_bounce_of_another_server_comes_home(world: World, name: str) -> None:
    # away.test takes the mail, and only then finds no way on.
    away = world.sites["away.test"].office.aliases
    await away.add(Address("gone", "away.test"), [Address("x", "nowhere.test")])
    await world.send(f"{name}@there.test", "lost@here.test", subject="bounced")
    (report,) = await world.wait_for(f"{name}@there.test")
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


def forge(where: tuple[str, int], recipients: Sequence[str]) -> list[tuple[int, bytes]]:
    """Send in the name of somebody whose domain asks for Junk; return what is said to RCPT and DATA."""
    with smtplib.SMTP(*where, local_hostname="client.test", timeout=10) as client:
        client.ehlo()
        client.mail("eve@mild.test")
        said = [client.rcpt(each) for each in recipients]
        if any(code == 250 for code, _ in said):
            said.append(client.data(b"From: <eve@mild.test>\r\nSubject: money\r\n\r\nSend it.\r\n"))
        return said


class TestSuspectedMail:
    """It is put aside here, or refused: what we pass on is our word for it."""

    @pytest.fixture
    async def suspicious(self, world: World) -> World:
        world.dns.zones.add_zone("mild.test")
        world.dns.zones.add("mild.test", "TXT", "v=spf1 -all")
        world.dns.zones.add("_dmarc.mild.test", "TXT", "v=DMARC1; p=quarantine")
        aliases = world.sites["here.test"].office.aliases
        both = [Address("jo", "here.test"), Address("jo", "away.test")]
        await aliases.add(Address("both", "here.test"), both)
        return world

    async def say(self, world: World, *recipients: str) -> list[tuple[int, bytes]]:
        return await asyncio.to_thread(forge, world.sites["here.test"].mx, recipients)

    async def told(self, world: World, recipient: str) -> str:
        """The journey of the newest message for an address."""
        journeys = world.sites["here.test"].office.journeys
        found = await journeys.find(address=recipient)
        return words(await journeys.of(found[0].id)) if found else ""

    async def test_with_nobody_here_it_is_refused(self, suspicious: World) -> None:
        rcpt, data = await self.say(suspicious, "team@here.test")
        assert rcpt[0] == 250
        assert data == (
            550,
            b"5.7.1 This message is suspected, and is not passed on to other places",
        )
        assert await self.told(suspicious, "team@here.test") == ""

    async def test_who_has_a_mailbox_here_has_it_in_junk(self, suspicious: World) -> None:
        assert (await self.say(suspicious, "both@here.test"))[-1][0] == 250
        told = await self.told(suspicious, "jo@here.test")
        assert "in the Junk of jo@here.test" in told
        assert "forwarding: accept" in told
        assert "suspected, not passed on: jo@away.test" in told
        assert "goes to away.test" not in told

    async def test_one_who_would_go_without_makes_it_refused_for_all(
        self, suspicious: World
    ) -> None:
        """The sender hears of it, and nobody is left out without a word."""
        *_, data = await self.say(suspicious, "jo@here.test", "team@here.test")
        assert data[0] == 550
        assert await self.told(suspicious, "jo@here.test") == ""

    async def test_where_the_operator_wants_it_passed_on(self, suspicious: World) -> None:
        site = suspicious.sites["here.test"]
        changed = {**site.config.model_dump(), "forwarding": {"quarantined": "forward"}}
        site.config = type(site.config).model_validate(changed)
        await site.restart()
        assert (await self.say(suspicious, "both@here.test", "team@here.test"))[-1][0] == 250
        told = await self.told(suspicious, "jo@here.test")
        assert "suspected, passed on all the same: jo@away.test" in told
        assert "goes to away.test" in told

    async def test_mail_that_nobody_suspects_goes_on(self, suspicious: World) -> None:
        sent = await suspicious.send("jo@there.test", "both@here.test", subject="fine")
        await suspicious.settled(sent)
        await suspicious.wait_for("jo@away.test")
        assert "forwarding:" not in await self.told(suspicious, "jo@here.test")
