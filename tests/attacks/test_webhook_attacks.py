"""Webhooks as a way into this network, and receivers that mean harm (ATTACKS 22, 24 to 26)."""

import time
from collections.abc import AsyncIterator

import pytest

from postroad.delivery.https import Fetcher, FetchSettings
from postroad.lab.world import World
from postroad.network import SystemClock
from postroad.runtime.webhooks import make_poster
from postroad.service.errors import Refused
from postroad.service.webhook_post import Poster
from postroad.service.webhooks import Webhooks
from tests.webhook_receiver import HOST, Receiver


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
    await desk(world).add("shop", receiver.url)
    yield receiver
    await receiver.stop()


def desk(world: World) -> Webhooks:
    return world.sites["shop.test"].office.webhooks


def poster(world: World, *, allow_private: bool, seconds: float = 5.0) -> Poster:
    system = world.sites["shop.test"].system
    made = make_poster(
        system.config, desk(world), SystemClock(), system._in_force.resolver, world.network
    )
    limits = FetchSettings(
        max_octets=made.fetcher.settings.max_octets,
        total_seconds=seconds,
        allow_private=allow_private,
    )
    fetcher = Fetcher(system._in_force.resolver, world.network, SystemClock(), limits)
    return Poster(fetcher, desk(world).secrets, SystemClock())


async def test_by_default_nothing_in_this_network_is_asked(
    world: World, receiver: Receiver
) -> None:
    for address, why in (
        ("127.0.0.1", "loopback"),
        ("10.1.2.3", "private"),
        ("169.254.169.254", "link-local"),
        ("100.64.0.1", "private"),
    ):
        world.dns.zones.replace(HOST, "A", address)
        failure = await desk(world).test("shop", poster(world, allow_private=False))
        assert f"{why} address {address} refused" in failure
    world.dns.zones.remove(HOST, "A")
    world.dns.zones.add(HOST, "AAAA", "::ffff:169.254.169.254")
    assert "refused" in await desk(world).test("shop", poster(world, allow_private=False))
    assert receiver.asked == 0


async def test_addresses_as_numbers_are_no_way_round(world: World) -> None:
    await desk(world).add("meta", "https://169.254.169.254/latest/meta-data/")
    assert "refused" in await desk(world).test("meta", poster(world, allow_private=False))


async def test_redirects_are_not_followed(world: World, receiver: Receiver) -> None:
    receiver.answer = (
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://169.254.169.254/\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert await desk(world).test("shop", poster(world, allow_private=True)) == "HTTP status 307"
    assert receiver.asked == 1


async def test_an_answer_without_end_ends(world: World, receiver: Receiver) -> None:
    receiver.endless = True
    began = time.monotonic()
    assert await desk(world).test("shop", poster(world, allow_private=True))
    assert time.monotonic() - began < 4


async def test_a_receiver_that_says_nothing_is_left(world: World, receiver: Receiver) -> None:
    receiver.delay = 30
    began = time.monotonic()
    assert await desk(world).test("shop", poster(world, allow_private=True, seconds=1.0))
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "url",
    [
        "http://hook.test/",
        "file:///etc/passwd",
        "https://user:word@hook.test/",
        "https://hook.test/\r\nX-More: 1",
        "https://[::1]/",
        "https://hook.test:0/",
        "https://" + "a" * 3000 + ".test/",
    ],
)
async def test_only_plain_https_addresses_are_taken(world: World, url: str) -> None:
    with pytest.raises(Refused, match="https://HOST/PATH"):
        await desk(world).add("x", url)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0", "n" * 65])
async def test_names_are_printable_and_short(world: World, name: str) -> None:
    with pytest.raises(Refused, match="printable"):
        await desk(world).add(name, "https://hook.test/")
