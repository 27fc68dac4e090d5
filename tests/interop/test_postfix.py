"""Postfix and we deliver to each other, each finding the other by the lab's DNS: real mail byte for
byte, encrypted, with 8-bit and SMTPUTF8, and what each does with users that do not exist.
"""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec import Struct

from peers.postfix import ByDns, Maildirs, Postfix
from peers.tools import PeerUnavailable
from postroad.lab.world import Sent, World
from postroad.model import DeliveryState, ServerKind
from tests.interop.conftest import Require
from tests.interop.exchange import hand_in, letter, login, read_mail
from tests.interop.real_mail import crlf, real_mail, unmatched

ALICE, JUERGEN = "alice@sender.test", "jürgen@sender.test"
BOB, ZOE = "bob@postfix.test", "zoë@postfix.test"
COUNT = 500
MX = "mx.postfix.test"


class Neighbours(Struct):
    """A lab with our `sender.test` and Postfix's `postfix.test`."""

    world: World
    postfix: Postfix

    def client(self) -> smtplib.SMTP:
        """A user of Postfix, who needs no login on loopback."""
        return smtplib.SMTP(self.postfix.address, self.postfix.port, timeout=30)


@asynccontextmanager
async def neighbours() -> AsyncIterator[Neighbours]:
    async with World() as world:
        site = await world.add_domain("sender.test", accounts=["alice", "jürgen"])
        if world.dns.port != 53:
            raise PeerUnavailable("Postfix asks DNS servers on port 53 only, and that needs root")
        # The lab counts its servers up from .3.
        address = world.dns.address.rpartition(".")[0] + ".200"
        world.dns.zones.add_zone("postfix.test")
        world.dns.zones.add("postfix.test", "MX", f"10 {MX}.")
        world.dns.zones.add(MX, "A", address)
        leaf = world.ca.issue(MX, address)
        port = site.config.delivery.port
        postfix = Postfix(
            address,
            port,
            local=Maildirs(["postfix.test"], ["bob", "eve", "zoë"]),
            outbound=ByDns(world.dns.address, site.mx[1]),
            host_name=MX,
            settings={
                "smtpd_tls_security_level": "may",
                "smtpd_tls_cert_file": str(leaf.certificate),
                "smtpd_tls_key_file": str(leaf.key),
                "smtpd_tls_loglevel": "1",
                "smtp_tls_security_level": "may",
                "smtp_tls_CAfile": str(world.ca.root_file),
                "smtp_tls_loglevel": "1",
                # By default Postfix removes some header fields and folds lines beyond 998 octets,
                # and these tests compare bytes.
                "message_drop_headers": "",
                "smtp_line_length_limit": "0",
                # Postfix takes it and hands it to us, who refuse it: no domain of ours.
                "transport_maps": f"inline:{{ {{ late.test = smtp:[{site.mx[0]}]:{site.mx[1]} }} }}",
                "bounce_queue_lifetime": "0",
                "maximal_queue_lifetime": "0",
            },
        )
        await asyncio.to_thread(postfix.__enter__)
        try:
            yield Neighbours(world, postfix)
        finally:
            print(postfix.log()[-20_000:])  # pytest shows it with a failure
            await asyncio.to_thread(postfix.__exit__, None, None, None)


@pytest.fixture
async def pair(require: Require) -> AsyncIterator[Neighbours]:
    require("master")
    async with neighbours() as found:
        yield found


async def until(postfix: Postfix, user: str, count: int) -> list[bytes]:
    """Wait until a Maildir of Postfix holds `count` messages; return them with CRLF."""
    for _ in range(600):
        if len(postfix.maildir(user, "postfix.test")) >= count:
            break
        await asyncio.sleep(0.05)
    await asyncio.to_thread(postfix.wait_until_queue_empty)
    return [crlf(message) for message in postfix.messages(user, "postfix.test")]


async def ends(world: World, sent: Sent) -> dict[str, DeliveryState]:
    """Wait until all deliveries of a message are over; return how they ended by recipient."""
    journey = await world.settled(sent)
    return {str(each.recipient): each.state for each in journey.deliveries}


def sample() -> tuple[bytes, ...]:
    """500 real messages, wanted and unwanted ones alike."""
    return real_mail()[::2][:COUNT]


async def test_we_deliver_real_mail_to_postfix(pair: Neighbours) -> None:
    server = pair.world.mailserver("submission", ALICE)
    await hand_in(lambda: login(server), ALICE, [BOB], sample())
    received = await until(pair.postfix, "bob", COUNT)
    assert unmatched(received, sample()) == (COUNT, [])
    log = pair.postfix.log()
    assert "Anonymous TLS connection established from" in log
    # Every message came encrypted: Postfix names the link in the Received field it adds.
    assert all(b"(using TLSv1.3 with cipher" in each[:1000] for each in received)
    journeys = pair.world.site_of(ALICE).office.journeys
    found = await journeys.find(address=BOB, limit=COUNT)
    assert len(found) == COUNT
    for message in found:
        lines = (await journeys.of(message.id)).lines
        (way,) = [line.text for line in lines if line.what == "connect"]
        assert MX in way
        assert any("TLSv1.3" in line.text for line in lines if line.what in ("connect", "tls"))


async def test_postfix_delivers_real_mail_to_us(pair: Neighbours) -> None:
    await hand_in(pair.client, BOB, [ALICE], sample())
    await pair.world.wait_for(ALICE, count=COUNT, timeout_seconds=60)
    received = await asyncio.to_thread(read_mail, pair.world.mailserver("pop3s", ALICE))
    assert unmatched(received, sample()) == (COUNT, [])
    found = await pair.world.site_of(ALICE).office.journeys.find(address=ALICE, limit=COUNT)
    assert {message.origin.server for message in found} == {ServerKind.MX}
    assert all((message.origin.tls or "").startswith("TLSv1.3") for message in found)
    assert {message.origin.helo for message in found} == {MX}


async def test_one_transaction_for_users_who_exist_and_one_who_does_not(pair: Neighbours) -> None:
    nobody = "nobody@postfix.test"
    sent = await pair.world.send(ALICE, [BOB, nobody, "eve@postfix.test"], subject="to three")
    assert await ends(pair.world, sent) == {
        BOB: DeliveryState.DELIVERED,
        nobody: DeliveryState.BOUNCED,
        "eve@postfix.test": DeliveryState.DELIVERED,
    }
    for user in ("bob", "eve"):
        (message,) = await until(pair.postfix, user, 1)
        assert message.endswith(sent.data)
    # One transaction: Postfix gave both copies the same queue id.
    lines = [line for line in pair.postfix.log().splitlines() if "status=sent" in line]
    assert len({line.split(": ")[1] for line in lines}) == 1
    (report,) = await pair.world.wait_for(ALICE)
    assert f"Final-Recipient: rfc822; {nobody}".encode() in report
    assert b"Action: failed\r\nStatus: 5.1.1\r\n" in report
    assert b"Diagnostic-Code: smtp; 550" in report
    assert report.count(b"Final-Recipient:") == 1


async def test_eight_bit_and_utf8_addresses_to_postfix(pair: Neighbours) -> None:
    eight_bit = letter(ALICE, BOB, "eight bits", "Zwölf Boxkämpfer, quer über den Sylter Deich\n")
    utf8 = letter(JUERGEN, ZOE, "Grüße, 你好", "in acht Bit: ß\n")
    assert (await ends(pair.world, await pair.world.send(ALICE, BOB, eight_bit)))[BOB].final
    sent = await pair.world.send(JUERGEN, ZOE, utf8)
    assert await ends(pair.world, sent) == {ZOE: DeliveryState.DELIVERED}
    (message,) = await until(pair.postfix, "bob", 1)
    assert message.endswith(b"\r\n" + eight_bit)
    (message,) = await until(pair.postfix, "zoë", 1)
    assert message.endswith(b"\r\n" + utf8)
    assert "Return-Path: <jürgen@sender.test>".encode() in message
    assert b"with UTF8SMTPS id" in message, "Postfix saw SMTPUTF8"


async def test_eight_bit_and_utf8_addresses_from_postfix(pair: Neighbours) -> None:
    eight_bit = letter(BOB, ALICE, "eight bits", "Zwölf Boxkämpfer, quer über den Sylter Deich\n")
    utf8 = letter(ZOE, JUERGEN, "Grüße, 你好", "in acht Bit: ß\n")

    def send() -> None:
        with pair.client() as client:
            client.ehlo("client.test")
            client.sendmail(BOB, [ALICE], eight_bit, ["BODY=8BITMIME"])
            client.sendmail(ZOE, [JUERGEN], utf8, ["BODY=8BITMIME", "SMTPUTF8"])

    await asyncio.to_thread(send)
    (message,) = await pair.world.wait_for(ALICE)
    assert message.endswith(b"\r\n" + eight_bit)
    (message,) = await pair.world.wait_for(JUERGEN)
    assert message.endswith(b"\r\n" + utf8)
    assert "Return-Path: <zoë@postfix.test>".encode() in message
    (found,) = await pair.world.site_of(ALICE).office.journeys.find(address=JUERGEN)
    assert (found.origin.protocol, found.envelope.smtputf8) == ("UTF8SMTPS", True)


async def test_our_refusal_makes_postfix_bounce(pair: Neighbours) -> None:
    def send() -> None:
        with pair.client() as client:
            refused = client.sendmail(
                BOB,
                ["nobody@sender.test", ALICE],
                b"From: bob@postfix.test\r\nSubject: two\r\n\r\nx\r\n",
            )
            assert refused == {}, "Postfix takes both and learns of the refusal later"

    await asyncio.to_thread(send)
    await pair.world.wait_for(ALICE)
    (report,) = await until(pair.postfix, "bob", 1)
    assert b"Return-Path: <>" in report
    assert b"Final-Recipient: rfc822; nobody@sender.test" in report
    assert b"Status: 5.1.1" in report
    assert ALICE.encode() not in report.partition(b"message/rfc822")[0].partition(b"Final-")[2]


async def test_a_report_of_postfix_reaches_our_sender(pair: Neighbours) -> None:
    zones = pair.world.dns.zones
    zones.add_zone("late.test")
    zones.add("late.test", "MX", f"10 {MX}.")
    sent = await pair.world.send(ALICE, "bob@late.test", subject="taken, then refused")
    assert await ends(pair.world, sent) == {"bob@late.test": DeliveryState.DELIVERED}
    (report,) = await pair.world.wait_for(ALICE)
    assert report.startswith(b"Return-Path: <>\r\n")
    assert b"Final-Recipient: rfc822; bob@late.test" in report
    assert b"Status: 5.7.1" in report
    assert sent.data.partition(b"\r\n\r\n")[2] in report
