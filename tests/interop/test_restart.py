"""Restarts and crashes in the middle of the work: nothing is lost, and every duplicate is explained.

What may come twice, and why: SMTP has no way to take back a message whose acknowledgement was not
seen (RFC 1047). A sender that is killed tries again exactly what its store does not know to be
delivered; a sender that stays tries again what its journey calls unknown. Nothing else may be doubled.
"""

import asyncio
import smtplib
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable

import pytest

from postroad.lab.faults import Behaviour, FaultyServer, Script
from postroad.lab.site import Site
from postroad.lab.world import World
from postroad.model import DeliveryState
from postroad.ports import QueueFilter
from postroad.runtime.office import Office
from tests.interop.exchange import hand_in, login, numbered, read_mail, serial

ALICE, BOB = "alice@sender.test", "bob@receiver.test"
COUNT = 1000
ALL = Counter(range(COUNT))
CLIENTS = 8


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World(retry_seconds=0.2) as lab:
        yield lab


async def queue_all(world: World) -> list[bytes]:
    """Queue 1,000 messages from alice to bob."""
    messages = [numbered(number, ALICE, BOB) for number in range(COUNT)]
    server = world.mailserver("submission", ALICE)
    await hand_in(lambda: login(server), ALICE, [BOB], messages, connections=CLIENTS)
    return messages


async def slow_receiver(world: World) -> FaultyServer:
    """A host for receiver.test that takes its time, so that there is a middle to stop in."""
    world.dns.zones.add_zone("receiver.test")
    host = await world.host(
        "mx1.receiver.test", "slow", domain="receiver.test", delay_seconds=0.01, tls=False
    )
    assert host is not None
    host.messages = deque()  # all of them
    return host


async def wait_until(happened: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not happened():
            await asyncio.sleep(0.005)


async def quiet(host: FaultyServer) -> None:
    """Wait until a host has worked off what a dead client had sent it."""
    seen = -1
    while seen != len(host.words):
        seen = len(host.words)
        await asyncio.sleep(0.25)


def numbers(messages: Iterable[bytes]) -> Counter[int]:
    return Counter(serial(message) for message in messages)


async def states(site: Site) -> dict[int, DeliveryState]:
    """The states of all deliveries by the number of the message, as the store of a site has them."""
    async with Office.open(site.config) as office:
        every = QueueFilter(states=tuple(DeliveryState), limit=10 * COUNT)
        return {
            int(item.message.message_id[1:].partition(".")[0]): item.delivery.state
            for item in await office.store.queue.find(every)
        }


async def test_a_restart_in_the_middle_delivers_all_exactly_once(world: World) -> None:
    site = await world.add_domain("sender.test", accounts=["alice"])
    receiver = await slow_receiver(world)
    await queue_all(world)
    await wait_until(lambda: len(receiver.messages) > COUNT // 10)
    await site.stop()
    there = len(receiver.messages)
    assert COUNT // 10 < there < COUNT, "that was the middle"
    found = Counter((await states(site)).values())
    # What was in flight was brought to its end and recorded; the rest waits, held by nobody.
    assert found == {DeliveryState.DELIVERED: there, DeliveryState.DUE: COUNT - there}
    await site.start()
    await wait_until(lambda: len(receiver.messages) >= COUNT)
    await wait_until_idle(site)
    assert numbers(taken.data for taken in receiver.messages) == ALL


async def test_a_killed_sender_repeats_only_what_its_store_does_not_know(world: World) -> None:
    site = await world.add_domain("sender.test", accounts=["alice"], own_process=True)
    receiver = await slow_receiver(world)
    await queue_all(world)
    await wait_until(lambda: len(receiver.messages) > COUNT // 10)
    await site.crash()
    await quiet(receiver)
    before = numbers(taken.data for taken in receiver.messages)
    assert COUNT // 10 < before.total() < COUNT, "that was the middle"
    assert before.most_common(1)[0][1] == 1
    known = await states(site)
    assert sorted(known) == list(range(COUNT)), "all that was acknowledged is there"
    delivered = {number for number, state in known.items() if state is DeliveryState.DELIVERED}
    assert delivered <= set(before)
    await site.start()
    await wait_until(lambda: len(numbers(taken.data for taken in receiver.messages)) == COUNT)
    await wait_until_idle(site)
    # Once more what had been taken without the store knowing it, and nothing but that.
    assert numbers(taken.data for taken in receiver.messages) == ALL + Counter(
        set(before) - delivered
    )
    assert set((await states(site)).values()) == {DeliveryState.DELIVERED}


async def test_what_comes_twice_after_a_killed_receiver_is_unknown_in_the_journey(
    world: World,
) -> None:
    sender = await world.add_domain("sender.test", accounts=["alice"])
    receiver = await world.add_domain("receiver.test", accounts=["bob"], own_process=True)
    bob = receiver.account(BOB)
    queueing = asyncio.create_task(queue_all(world))
    while await receiver.inbox(bob) < COUNT // 5:
        await asyncio.sleep(0.005)
    await receiver.crash()
    await queueing
    await receiver.start()
    await wait_until_idle(sender)
    await wait_until_idle(receiver)
    received = numbers(await asyncio.to_thread(read_mail, world.mailserver("pop3", BOB)))
    assert set(received) == set(ALL)
    twice = {number for number, times in received.items() if times > 1}
    assert all(received[number] == 2 for number in twice)
    journeys = sender.office.journeys
    for message in await journeys.find(address=BOB, limit=COUNT):
        whats = [line.what for line in (await journeys.of(message.id)).lines]
        assert whats.count("delivered") == 1
        if int(message.message_id[1:].partition(".")[0]) in twice:
            assert whats.count("unknown") == 1


async def test_each_duplicate_of_a_receiver_that_dies_after_the_dot_is_unknown_in_the_journey(
    world: World,
) -> None:
    """The same, with certainty: the receiver keeps 30 messages and hangs up instead of answering."""
    strikes = 30
    sender = await world.add_domain("sender.test", accounts=["alice"])
    receiver = await slow_receiver(world)
    await receiver.become(Script(behaviour=Behaviour.DROP_AFTER_DOT, times=strikes))
    messages = await queue_all(world)
    await wait_until_idle(sender)
    received = numbers(taken.data for taken in receiver.messages)
    assert set(received) == set(ALL)
    assert received.total() == len(messages) + strikes
    journeys = sender.office.journeys
    for message in await journeys.find(address=BOB, limit=COUNT):
        whats = [line.what for line in (await journeys.of(message.id)).lines]
        number = int(message.message_id[1:].partition(".")[0])
        assert whats.count("delivered") == 1
        assert received[number] <= 1 + whats.count("unknown")


async def test_what_was_acknowledged_before_a_kill_is_there_after_it(world: World) -> None:
    site = await world.add_domain("receiver.test", accounts=["bob"], own_process=True)
    server = world.mailserver("submission", BOB)
    messages = [numbered(number, BOB, BOB, 2000) for number in range(20 * COUNT)]
    acknowledged: set[int] = set()
    handing_in = asyncio.create_task(
        hand_in(
            lambda: login(server),
            BOB,
            [BOB],
            messages,
            connections=CLIENTS,
            taken=lambda message: acknowledged.add(serial(message)),
        )
    )
    await wait_until(lambda: len(acknowledged) > COUNT)
    await site.crash()
    with pytest.raises((smtplib.SMTPException, OSError)):
        await handing_in
    await site.start()
    await wait_until_idle(site)
    received = numbers(await asyncio.to_thread(read_mail, world.mailserver("pop3", BOB)))
    assert received.most_common(1)[0][1] == 1, "a deposit and its record are one commit"
    assert acknowledged <= set(received)
    # Each client may have had one message stored whose acknowledgement it did not see.
    assert len(set(received) - acknowledged) <= CLIENTS


async def wait_until_idle(site: Site) -> None:
    """Wait until no delivery of a site is due or leased."""
    async with asyncio.timeout(60):
        while any((await site.office.desk.counts()).values()):
            await asyncio.sleep(0.01)
