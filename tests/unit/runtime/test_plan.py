"""The forecast for a message, compared with what servers of the lab really are."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from postroad.lab.world import World
from postroad.model import Address
from postroad.runtime.config import Config
from postroad.runtime.outbound import make_resolver
from postroad.runtime.plan import Plan, make_plan, traits_of
from postroad.trust.return_path import ReturnTo

MESSAGE = b"From: orders@shop.test\r\nTo: x@there.test\r\nSubject: x\r\n\r\nhello\r\n"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World(patience_seconds=2.0) as world:
        await world.add_domain("shop.test", ["orders", "staff"])
        await world.host("mx.there.test", domain="there.test")
        site = world.sites["shop.test"]
        zones = world.dns.zones
        zones.add("shop.test", "TXT", f'"v=spf1 ip4:{site.address} -all"')
        zones.add("_dmarc.shop.test", "TXT", '"v=DMARC1; p=reject"')
        yield world


async def plan(world: World, *recipients: str, message: bytes = MESSAGE, **more: Any) -> Plan:
    site = world.sites["shop.test"]
    resolver = make_resolver(site.config)
    try:
        return await make_plan(
            site.config,
            message,
            Address.parse(more.pop("sender", "orders@shop.test")),
            [Address.parse(each) for each in recipients],
            resolver=resolver,
            network=world.network,
            addresses=more.pop("addresses", [site.address]),
            **more,
        )
    finally:
        await resolver.close()


async def test_mail_that_would_arrive(world: World) -> None:
    made = await plan(world, "x@there.test", "staff@shop.test", probe=True)
    assert not made.fails
    away, here = made.legs
    assert away.lead.route is not None
    assert [host.name for host in away.lead.route.hosts] == ["mx.there.test"]
    assert away.probe is not None
    assert away.probe.tls is not None
    assert "SMTPUTF8" in away.probe.extensions
    assert (away.expected, here.expected) == ("at once", "at once")
    assert here.lead.mailbox is not None
    assert [(each.host, each.policy) for each in away.links] == [("mx.there.test", "opportunistic")]
    assert here.links == ()
    (said,) = made.previews
    assert said.spf.result.value == "pass"
    assert said.dmarc.result.value == "pass"
    # It was greeted and left; nothing was sent, nothing stored.
    there = world.hosts["mx.there.test"]
    assert "mail" not in there.words
    assert there.sessions == 1
    assert await world.inbox("staff@shop.test") == []


async def test_mail_that_stays_needs_no_proof(world: World) -> None:
    made = await plan(world, "staff@shop.test", addresses=["192.0.2.1"])
    assert made.previews == ()
    assert not made.fails


async def test_places_that_are_not_there(world: World) -> None:
    await world.host("none.test", "null_mx", domain="none.test")
    made = await plan(world, "x@nowhere.test", "x@none.test", "nobody@shop.test")
    assert made.fails
    assert [str(address) for address, _ in made.refused] == ["nobody@shop.test"]
    nowhere, none = made.legs
    assert nowhere.problems == (str(nowhere.lead.refusal),)
    assert nowhere.expected == none.expected == "never: it would come back at once"
    world.dns.fail("there.test", "servfail")
    (leg,) = (await plan(world, "x@there.test")).legs
    assert leg.expected.startswith("put off")


async def test_a_sender_that_would_not_be_believed(world: World) -> None:
    world.dns.zones.add("bank.test", "TXT", '"v=spf1 -all"')
    world.dns.zones.add("_dmarc.bank.test", "TXT", '"v=DMARC1; p=reject"')
    forged = MESSAGE.replace(b"From: orders@shop.test", b"From: boss@bank.test")
    made = await plan(world, "x@there.test", message=forged)
    assert made.fails
    assert made.previews[0].dmarc.policy.value == "reject"


async def test_the_signature_that_it_would_get_here_counts(world: World) -> None:
    made = await plan(world, "x@there.test", addresses=["198.51.100.99"])
    assert not made.fails
    (said,) = made.previews
    assert (said.spf.result.value, said.dmarc.result.value) == ("fail", "pass")
    assert {each.result.value for each in said.dkim} == {"pass"}


async def test_a_message_that_does_not_fit(world: World) -> None:
    await world.host("mx.small.test", domain="small.test")
    small = world.hosts["mx.small.test"]
    made = await plan(world, "x@small.test", message=MESSAGE + b"a" * 200, probe=True)
    probe = made.legs[0].probe
    assert probe is not None
    if probe.max_octets is not None:
        big = MESSAGE + b"a\r\n" * (probe.max_octets // 3)
        made = await plan(world, "x@small.test", message=big, probe=True)
        assert "takes" in made.legs[0].problems[0]
    huge = MESSAGE + b"a\r\n" * (20 * 2**20)
    made = await plan(world, "staff@shop.test", message=huge)
    assert "limits.max_message_octets" in made.problems[0]
    await small.stop()
    made = await plan(world, "x@small.test", probe=True)
    assert "connection refused" in made.legs[0].problems[0]


async def streamed(world: World) -> None:
    """From now on orders@shop.test sends by a stream with a list and return paths."""
    site = world.sites["shop.test"]
    news = {
        "senders": ["orders@shop.test"],
        "suppression": True,
        "return_path": "bounce@back.test",
    }
    values = {"server": {"hostname": "x.test"}, "streams": {"news": news}}
    streams = Config.model_validate(values).streams
    site.config = site.config.model_copy(update={"streams": streams})
    await site.restart()


async def test_what_its_stream_would_do(world: World) -> None:
    await streamed(world)
    there = Address("x", "there.test")
    made = await plan(world, "x@there.test", "y@there.test")
    assert (made.stream, made.return_path) == ("news", Address("bounce", "back.test"))
    # Receivers look at the return path: nobody may send for it.
    world.dns.zones.add_zone("back.test")
    world.dns.zones.add("back.test", "TXT", "v=spf1 -all")
    (said,) = (await plan(world, "x@there.test")).previews
    assert said.spf.result.value == "fail"
    assert not any(leg.problems for leg in made.legs)
    site = world.sites["shop.test"]
    await site.office.suppressions.add([there], "news", by="op")
    listed, other = (await plan(world, "x@there.test", "y@there.test")).legs
    assert "on the suppression list of stream news" in listed.problems[0]
    assert listed.expected == "never: it would come back at once"
    assert other.problems == ()
    made = await plan(world, "x@there.test", sender="staff@shop.test")
    assert (made.stream, made.return_path) == ("default", None)
    assert made.legs[0].problems == ()


async def test_what_comes_back_is_taken_here(world: World) -> None:
    await streamed(world)
    paths = world.sites["shop.test"].office.return_paths
    path = paths.make(Address("bounce", "back.test"), ReturnTo(7, 0), time.time())
    (leg,) = (await plan(world, str(path), sender="staff@shop.test")).legs
    assert leg.lead.ours
    assert leg.problems == ()
    assert leg.expected == "at once"


async def test_what_waits_for_the_same_place(world: World) -> None:
    await world.host("mx.slow.test", "greylist", domain="slow.test", greylist_seconds=60)
    await world.send("orders@shop.test", "x@slow.test")
    async with asyncio.timeout(10):
        while not (await plan(world, "y@slow.test")).legs[0].waiting.failing:
            await asyncio.sleep(0.05)
    (leg,) = (await plan(world, "y@slow.test")).legs
    assert leg.waiting.deliveries == leg.waiting.failing == 1
    assert leg.waiting.last is not None
    assert leg.expected.startswith("put off: the destination does not take mail")
    assert leg.problems == ()
    made = await plan(world, "y@slow.test", "x@there.test")
    assert (made.fails, made.put_off) == (False, True)
    assert [each.put_off for each in made.legs] == [True, False]


async def test_a_header_that_is_no_mail(world: World) -> None:
    made = await plan(world, "staff@shop.test", message=b"Subject: x\r\n\r\nhi\r\n")
    assert made.problems == ("it has 0 From fields, and must have one",)


def test_traits() -> None:
    plain = traits_of(MESSAGE, [None])
    assert (plain.octets, plain.eight_bit, plain.utf8_header) == (len(MESSAGE), False, False)
    assert traits_of(MESSAGE + "ä".encode(), []).eight_bit
    assert traits_of("Subject: ä\r\n\r\nx".encode(), []).utf8_header
    assert traits_of(MESSAGE, [Address.parse("jö@here.test")]).utf8_header
    assert traits_of("Subject: ä\r\n".encode(), []).utf8_header
