"""Mail of the lab over DANE and over MTA-STS, and what does not travel."""

import asyncio
import email
import re
import smtplib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroad.lab.dns import DnsFault
from postroad.lab.protection import protect_by_mta_sts
from postroad.lab.world import World, words
from postroad.model import Address, Attempted, LinkPolicy, RouteKind, RouteTaken, StsMode
from postroad.network import ServerTls
from postroad.runtime.lookup import look_up
from postroad.service.journeys import Journey
from postroad.trust.tls_report import read_report

ALICE = "alice@sender.test"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World(patience_seconds=2.0) as world:
        await world.add_domain("sender.test", ["alice"])
        yield world


async def taken(world: World, queue_id: str) -> RouteTaken:
    """The way of the last attempt."""
    site = world.sites["sender.test"]
    journey = await world.journey(queue_id)
    events = await site.office.store.journey.events(journey.message.id)
    attempts = [event.change for event in events if isinstance(event.change, Attempted)]
    found = attempts[-1].taken
    assert found is not None
    return found


async def deferred(world: World, queue_id: str) -> Journey:
    """Wait until a message was deferred; it must not be delivered nor bounced."""
    journey = await world.journey_with(
        queue_id, lambda journey: any(line.what == "deferred" for line in journey.lines)
    )
    assert not {line.what for line in journey.lines} & {"delivered", "bounced"}, words(journey)
    return journey


def text(journey: Journey, what: str) -> str:
    return "\n".join(line.text for line in journey.lines if line.what == what)


class TestDane:
    async def test_a_message_travels(self, world: World) -> None:
        await world.add_domain("receiver.test", ["bob"], dane=True)
        sent = await world.send(ALICE, "bob@receiver.test")
        journey = await world.settled(sent)
        link = text(journey, "link")
        assert link.startswith("the receiver uses DANE: TLSv1.3 ")
        assert "certificate fits TLSA 3 1 1 " in link
        assert (await taken(world, sent)).policy is LinkPolicy.DANE
        assert await world.wait_for("bob@receiver.test")

    async def test_json_tells_the_same(self, world: World) -> None:
        await world.add_domain("receiver.test", ["bob"], dane=True)
        sent = await world.send(ALICE, "bob@receiver.test")
        plain: Any = (await world.settled(sent)).to_plain()
        (link,) = [line for line in plain["journey"] if line["what"] == "link"]
        assert link["text"].startswith("the receiver uses DANE: TLSv1.3 ")

    async def test_a_record_of_another_key(self, world: World) -> None:
        site = await world.add_domain("receiver.test", ["bob"], dane=True)
        name = f"_{site.config.delivery.port}._tcp.{site.hostname}"
        good = world.dns.zones.records(name, "TLSA")
        world.dns.zones.replace(name, "TLSA", f"3 1 1 {'0' * 64}")
        sent = await world.send(ALICE, "bob@receiver.test")
        journey = await deferred(world, sent)
        assert "does not fit the TLSA records" in text(journey, "deferred")
        assert text(journey, "link").startswith("the receiver uses DANE: no secured link")
        world.dns.zones.replace(name, "TLSA", *good)
        await world.retry_now(sent)
        assert await world.wait_for("bob@receiver.test")

    async def test_a_look_up_that_fails(self, world: World) -> None:
        await world.add_domain("receiver.test", ["bob"], dane=True)
        world.dns.fail("_tcp.mx1.receiver.test", DnsFault.SERVFAIL)
        sent = await world.send(ALICE, "bob@receiver.test")
        journey = await deferred(world, sent)
        assert "nothing is sent to it unverified" in text(journey, "deferred")
        assert "connect" not in {line.what for line in journey.lines}
        world.dns.heal()
        await world.retry_now(sent)
        assert await world.wait_for("bob@receiver.test")

    async def test_starttls_that_is_stripped(self, world: World) -> None:
        world.dns.zones.add_zone("receiver.test")
        host = await world.host("mx1.receiver.test", domain="receiver.test", tls=False)
        assert host is not None
        world.dns.zones.sign("receiver.test")
        port = world.sites["sender.test"].config.delivery.port
        world.dns.zones.add(f"_{port}._tcp.mx1.receiver.test", "TLSA", f"3 1 1 {'0' * 64}")
        journey = await deferred(world, await world.send(ALICE, "bob@receiver.test"))
        assert "TLS is required by DANE and not offered" in text(journey, "deferred")
        assert not host.messages

    async def test_without_signatures_nothing_is_asked(self, world: World) -> None:
        await world.add_domain("receiver.test", ["bob"], dane=True)
        world.dns.zones.sign("receiver.test", False)
        sent = await world.send(ALICE, "bob@receiver.test")
        await world.settled(sent)
        assert (await taken(world, sent)).policy is LinkPolicy.OPPORTUNISTIC
        assert not [query for query in world.dns.queries if query.rdtype == "TLSA"]


class TestMtaSts:
    @pytest.mark.parametrize("mode", [StsMode.ENFORCE, StsMode.TESTING])
    async def test_a_message_travels(self, world: World, mode: StsMode) -> None:
        await world.add_domain("receiver.test", ["bob"], mta_sts=mode)
        sent = await world.send(ALICE, "bob@receiver.test")
        journey = await world.settled(sent)
        verb = "enforces" if mode is StsMode.ENFORCE else "tests"
        link = text(journey, "link")
        assert link.startswith(f"the receiver {verb} MTA-STS: TLSv1.3 ")
        assert link.endswith("certificate valid for mx1.receiver.test")
        assert world.policies.asked == ["mta-sts.receiver.test"]
        assert await world.wait_for("bob@receiver.test")

    async def test_a_policy_is_kept_over_a_restart(self, world: World) -> None:
        await world.add_domain("receiver.test", ["bob"], mta_sts="enforce")
        await world.settled(await world.send(ALICE, "bob@receiver.test"))
        # Somebody takes record and policy away, and puts a host of his own in the DNS.
        world.dns.zones.remove("_mta-sts.receiver.test")
        del world.policies.files["receiver.test"]
        world.dns.zones.remove("receiver.test", "MX")
        evil = await world.host("mx.evil.test", domain="receiver.test")
        assert evil is not None
        await world.sites["sender.test"].restart()
        journey = await deferred(world, await world.send(ALICE, "bob@receiver.test"))
        expected = "mx.evil.test is no host of the MTA-STS policy of receiver.test"
        assert expected in text(journey, "deferred")
        assert not evil.messages

    async def test_a_certificate_for_another_name(self, world: World) -> None:
        site = await world.add_domain("other.test", ["bob"])
        zones = world.dns.zones
        zones.add_zone("receiver.test")
        zones.add("receiver.test", "MX", "10 mx1.receiver.test.")
        zones.add("mx1.receiver.test", "A", site.address)
        protect_by_mta_sts(
            zones, world.policies, "receiver.test", StsMode.ENFORCE, ["mx1.receiver.test"]
        )
        journey = await deferred(world, await world.send(ALICE, "bob@receiver.test"))
        assert "certificate not valid for mx1.receiver.test" in text(journey, "deferred")

    async def test_starttls_that_is_stripped(self, world: World) -> None:
        world.dns.zones.add_zone("receiver.test")
        host = await world.host("mx1.receiver.test", domain="receiver.test", tls=False)
        assert host is not None
        hosts = ["mx1.receiver.test"]
        protect_by_mta_sts(world.dns.zones, world.policies, "receiver.test", StsMode.ENFORCE, hosts)
        journey = await deferred(world, await world.send(ALICE, "bob@receiver.test"))
        assert "TLS is required by MTA-STS and not offered" in text(journey, "deferred")
        assert not host.messages

    async def test_a_policy_host_that_is_not_who_it_says(self, world: World) -> None:
        await world.add_domain("receiver.test", ["bob"], mta_sts="enforce")
        world.policies.untrusted.add("mta-sts.receiver.test")
        sent = await world.send(ALICE, "bob@receiver.test")
        journey = await world.settled(sent)
        assert "cannot be fetched" in text(journey, "lookup")
        assert (await taken(world, sent)).policy is LinkPolicy.OPPORTUNISTIC

    async def test_dane_comes_first(self, world: World) -> None:
        await world.add_domain("receiver.test", ["bob"], dane=True, mta_sts="enforce")
        sent = await world.send(ALICE, "bob@receiver.test")
        await world.settled(sent)
        assert (await taken(world, sent)).policy is LinkPolicy.DANE


async def test_a_smarthost_is_held_to_its_tlsa_records(world: World) -> None:
    """Its name is the operator's word; what is for others goes by it, or waits."""
    relay = await world.add_domain("receiver.test", ["bob"], dane=True)
    site = world.sites["sender.test"]
    port = site.config.delivery.port
    routes = {"receiver.test": {"via": f"{relay.hostname}:{port}"}}
    changed = {**site.config.model_dump(), "routes": routes}
    site.config = type(site.config).model_validate(changed)
    await site.restart()
    sent = await world.send(ALICE, "bob@receiver.test")
    link = text(await world.settled(sent), "link")
    assert link.startswith("the receiver uses DANE: TLSv1.3 ")
    found = await look_up(site.config, Address.parse("bob@receiver.test"))
    (lead,) = found.leads
    assert lead.route is not None
    assert lead.route.kind is RouteKind.SMARTHOST
    assert [demand.policy for demand in lead.demands] == [LinkPolicy.DANE]
    assert any(f"TLSA of _{port}._tcp.{relay.hostname}" in line for line in lead.lookups)
    name = f"_{port}._tcp.{relay.hostname}"
    world.dns.zones.replace(name, "TLSA", f"3 1 1 {'0' * 64}")
    await site.restart()  # else the connection is kept
    await deferred(world, await world.send(ALICE, "bob@receiver.test"))


class TestRequireTls:
    async def submit(self, world: World, *options: str) -> str:
        """Submit with MAIL options, as a real client does; return the queue id."""
        server = world.mailserver("submission", ALICE)
        context = ssl.create_default_context(cafile=str(world.ca.root_file))

        def talk() -> str:
            with smtplib.SMTP(server.address, server.port, timeout=10) as client:
                client.ehlo()
                assert not client.has_extn("requiretls"), "never in clear"
                client.starttls(context=context)
                client.ehlo()
                assert client.has_extn("requiretls")
                client.login(server.username, server.password)
                client.mail(ALICE, options)
                client.rcpt("bob@receiver.test")
                code, said = client.data(b"From: alice@sender.test\r\nSubject: secret\r\n\r\nx\r\n")
                assert code == 250, said
                return said.decode().rpartition(" ")[2]

        return await asyncio.to_thread(talk)

    async def test_it_travels_over_dane(self, world: World) -> None:
        await world.add_domain("receiver.test", ["bob"], dane=True)
        journey = await world.settled(await self.submit(world, "REQUIRETLS"))
        assert "delivered" in {line.what for line in journey.lines}
        (message,) = await world.sites["receiver.test"].office.journeys.find(
            address="bob@receiver.test"
        )
        assert message.envelope.requiretls

    async def test_it_is_returned_where_nobody_vouches_for_the_receiver(self, world: World) -> None:
        await world.add_domain("receiver.test", ["bob"])
        journey = await world.settled(await self.submit(world, "REQUIRETLS"))
        assert "550 5.7.30" in text(journey, "bounced")
        (report,) = await world.wait_for(ALICE)
        assert b"5.7.30" in report

    async def test_tls_required_no_passes_over_a_broken_policy(self, world: World) -> None:
        site = await world.add_domain("receiver.test", ["bob"], dane=True)
        name = f"_{site.config.delivery.port}._tcp.{site.hostname}"
        world.dns.zones.replace(name, "TLSA", f"3 1 1 {'0' * 64}")
        data = b"From: alice@sender.test\r\nSubject: your TLS is broken\r\nTLS-Required: No\r\n\r\nx\r\n"
        sent = await world.send(ALICE, "bob@receiver.test", data)
        await world.settled(sent)
        assert (await taken(world, sent)).policy is LinkPolicy.OPPORTUNISTIC
        other = await world.send(ALICE, "bob@receiver.test", b"Subject: secret\r\n\r\nx\r\n")
        await deferred(world, other)


async def test_a_tls_report_travels(world: World) -> None:
    """Counted with the deliveries, mailed by our own queue, read at the other end."""
    site = world.sites["sender.test"]
    section = {"contact": ALICE, "organization": "The senders"}
    changed = {**site.config.model_dump(), "tls_reports": section}
    site.config = type(site.config).model_validate(changed)
    await site.restart()
    await world.add_domain("receiver.test", ["bob"], mta_sts="enforce")
    world.dns.zones.add(
        "_smtp._tls.receiver.test", "TXT", "v=TLSRPTv1; rua=mailto:bob@receiver.test"
    )
    await world.settled(await world.send(ALICE, "bob@receiver.test"))
    reports = site.system.tls_reports
    assert reports is not None
    assert await reports.send_due("2099-01-01") == 1
    _, data = await world.wait_for("bob@receiver.test", count=2)
    _, _, part = email.message_from_bytes(data).walk()
    packed = part.get_payload(decode=True)
    assert isinstance(packed, bytes)
    report = read_report(packed)
    assert report.organization_name == "The senders"
    (policy,) = report.policies
    assert (policy.policy.policy_type, policy.policy.policy_domain) == ("sts", "receiver.test")
    assert policy.summary.total_successful_session_count == 1


async def test_a_tls_report_goes_by_https(world: World) -> None:
    """Only to a server that proves who it is; until then it waits in the store."""
    taken: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        assert length is not None
        taken.append(head + await reader.readexactly(int(length[1])))
        writer.write(b"HTTP/1.1 201 Created\r\n\r\n")
        await writer.drain()
        writer.close()

    async def listen(name: str, port: int = 0) -> asyncio.Server:
        leaf = world.ca.issue(name)
        context = ServerTls(leaf.certificate, leaf.key).context
        return await asyncio.start_server(serve, world.dns.address, port, ssl=context)

    site = world.sites["sender.test"]
    changed = {**site.config.model_dump(), "tls_reports": {"contact": ALICE}}
    site.config = type(site.config).model_validate(changed)
    await site.restart()
    await world.add_domain("receiver.test", ["bob"])
    false = await listen("other.test")
    port = false.sockets[0].getsockname()[1]
    world.dns.zones.add("reports.receiver.test", "A", world.dns.address)
    world.dns.zones.add(
        "_smtp._tls.receiver.test",
        "TXT",
        f"v=TLSRPTv1; rua=https://reports.receiver.test:{port}/tls",
    )
    await world.settled(await world.send(ALICE, "bob@receiver.test"))
    reports = site.system.tls_reports
    assert reports is not None
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    assert await reports.send_due(tomorrow) == 0
    assert not taken
    false.close()
    await false.wait_closed()
    true = await listen("reports.receiver.test", port)
    try:
        assert await reports.send_due(tomorrow) == 1
    finally:
        true.close()
        await true.wait_closed()
    (request,) = taken
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /tls HTTP/1.1\r\n")
    assert b"Content-Type: application/tlsrpt+gzip\r\n" in head
    report = read_report(body)
    assert report.report_id == f"{today}.receiver.test@sender.test"
    assert await reports.send_due(tomorrow) == 0
