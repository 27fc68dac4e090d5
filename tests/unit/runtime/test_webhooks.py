"""Webhooks of a running server, with a receiver that is a real HTTPS server."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from postroad.lab.world import World
from postroad.model import WebhookKind
from postroad.service.webhooks import Webhooks
from tests.webhook_receiver import HOST, Receiver, until


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        await world.add_domain("shop.test", ["orders"])
        world.dns.zones.add_zone(HOST)
        world.dns.zones.add(HOST, "A", "127.0.0.1")
        yield world


@pytest.fixture
async def receiver(world: World) -> AsyncIterator[Receiver]:
    receiver = Receiver(world.ca, "127.0.0.1")
    await receiver.start()
    yield receiver
    await receiver.stop()


def desk(world: World) -> Webhooks:
    return world.sites["shop.test"].office.webhooks


async def test_what_becomes_of_mail_is_told_signed_and_in_order(
    world: World, receiver: Receiver
) -> None:
    _, receiver.secret = await desk(world).add("shop", receiver.url)
    await world.add_domain("post.test", ["ann"])
    sent = await world.send("orders@shop.test", "ann@post.test")
    await until(lambda: len(receiver.got) == 2)
    assert receiver.kinds == ["accepted", "delivered"]
    told = receiver.got[1]["data"]
    assert told["message"] == str(sent)
    assert told["recipient"] == "ann@post.test"
    assert told["code"] == 250
    await until(lambda: receiver.asked == 2)
    async with asyncio.timeout(5):
        while (await desk(world).get("shop")).waiting:
            await asyncio.sleep(0.05)


async def test_events_are_filtered(world: World, receiver: Receiver) -> None:
    await desk(world).add("bounces", receiver.url, kinds=[WebhookKind.BOUNCED])
    await desk(world).add("others", receiver.url, domains=["other.test"])
    await world.add_domain("post.test", ["ann"])
    await world.send("orders@shop.test", "ann@post.test")
    await world.send("orders@shop.test", "nobody@post.test")
    await until(lambda: receiver.got)
    await asyncio.sleep(0.5)
    assert [(each["type"], each["data"]["recipient"]) for each in receiver.got] == [
        ("bounced", "nobody@post.test")
    ]


async def test_a_receiver_that_was_down_gets_all_in_order(world: World, receiver: Receiver) -> None:
    _, receiver.secret = await desk(world).add("shop", receiver.url)
    await receiver.stop()
    await world.add_domain("post.test", ["ann"])
    for _ in range(15):
        await world.send("orders@shop.test", "ann@post.test")
    await asyncio.sleep(1.0)
    assert receiver.got == []
    await receiver.start()
    await until(lambda: len({each["id"] for each in receiver.got}) == 30, 40)
    by_message = itertools.groupby(
        sorted(receiver.got, key=lambda each: str(each["data"]["message"])),
        key=lambda each: str(each["data"]["message"]),
    )
    for _, events in by_message:
        assert [each["type"] for each in events] == ["accepted", "delivered"]


async def test_one_that_is_slow_for_one_message_gets_the_others(
    world: World, receiver: Receiver
) -> None:
    receiver.silent_for = "ben@post.test"
    await desk(world).add("shop", receiver.url)
    await world.add_domain("post.test", ["ann", "ben"])
    await world.send("orders@shop.test", "ben@post.test")
    await world.send("orders@shop.test", "ann@post.test")
    await until(lambda: len(receiver.got) == 2, 8)
    assert {each["data"]["recipient"] for each in receiver.got} == {"ann@post.test"}


async def test_a_new_secret_is_used_beside_the_old_one(world: World, receiver: Receiver) -> None:
    _, old = await desk(world).add("shop", receiver.url)
    new = await desk(world).rotate("shop")
    assert new != old
    await world.add_domain("post.test", ["ann"])
    receiver.secret = old
    await world.send("orders@shop.test", "ann@post.test")
    await until(lambda: len(receiver.got) == 2)
    receiver.secret = new
    await world.send("orders@shop.test", "ann@post.test")
    await until(lambda: len(receiver.got) == 4)
    await desk(world).rotate("shop", 0.0)
    receiver.secret = await desk(world).rotate("shop", 0.0)
    await world.send("orders@shop.test", "ann@post.test")
    await until(lambda: len(receiver.got) == 6)
