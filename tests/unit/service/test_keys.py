"""From the making of a key to its end."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from postroad.model import KeyState, StoredKey
from postroad.service.errors import Refused
from postroad.service.keys import Keys, signing_key
from postroad.storage.keys import FileKeys
from postroad.trust.dkim import Algorithm
from tests.fake_dns import FakeDns
from tests.unit.service.fakes import FakeClock, FakeDirectory

ED = (Algorithm.ED25519_SHA256,)
WAIT = 3600.0


class World:
    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.directory = FakeDirectory()
        self.directory.add_domain("a.test")
        self.store = FileKeys(path / "keys")
        self.keys = Keys(
            store=self.store, directory=self.directory, clock=self.clock, wait_seconds=WAIT
        )
        self.records: dict[str, dict[str, list[str]]] = {}

    def publish(self, *keys: StoredKey) -> None:
        for key in keys:
            public = signing_key(key)
            self.records[public.name] = {"TXT": [public.record()]}

    async def check(self) -> list[str]:
        return [each.problem for each in await self.keys.check(FakeDns(self.records))]

    def states(self) -> list[str]:
        now = self.clock.now()
        return [key.state(now).value for key in self.keys.all("a.test")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_the_first_key_signs_when_its_record_is_seen(world: World) -> None:
    (key,) = await world.keys.add("a.test", ED)
    assert world.states() == ["waiting"]
    (problem,) = await world.check()
    assert f"there is no key {signing_key(key).name}" in problem
    assert world.states() == ["waiting"]
    world.publish(key)
    assert await world.check() == [""]
    assert world.states() == ["signing"]


async def test_a_successor_waits_for_caches_and_then_takes_over(world: World) -> None:
    (first,) = await world.keys.add("a.test", ED)
    world.publish(first)
    await world.check()
    world.clock.at += 10
    (second,) = await world.keys.rotate("a.test")
    assert second.selector != first.selector
    assert world.states() == ["signing", "waiting"]
    with pytest.raises(Refused, match="has a new key already"):
        await world.keys.rotate("a.test")
    world.publish(second)
    await world.check()
    assert world.states() == ["signing", "published"]
    world.clock.at += WAIT - 1
    assert world.states() == ["signing", "published"]
    world.clock.at += 1
    assert world.states() == ["retired", "signing"]
    with pytest.raises(Refused, match="retired already"):
        world.keys.retire("a.test", first.selector)
    with pytest.raises(Refused, match="signs; first"):
        world.keys.remove("a.test", second.selector)
    world.keys.remove("a.test", first.selector)
    assert world.states() == ["signing"]
    with pytest.raises(Refused, match=r"would sign now; .* --force"):
        world.keys.retire("a.test", second.selector)
    assert world.states() == ["signing"]
    world.keys.retire("a.test", second.selector, force=True)
    assert world.states() == ["retired"]
    with pytest.raises(Refused, match="no key that signs"):
        await world.keys.rotate("a.test")


async def test_what_is_to_sign_next_is_not_taken_away(world: World) -> None:
    (first,) = await world.keys.add("a.test", ED, sign_now=True)
    (second,) = await world.keys.rotate("a.test")
    world.publish(second)
    await world.check()
    assert world.states() == ["signing", "published"]
    with pytest.raises(Refused, match="would sign now"):
        world.keys.retire("a.test", first.selector)
    for take_away in (world.keys.retire, world.keys.remove):
        with pytest.raises(Refused, match="would sign later"):
            take_away("a.test", second.selector)
    world.keys.remove("a.test", second.selector, force=True)
    assert world.states() == ["signing"]


async def test_a_key_beside_another_is_retired_at_once(world: World) -> None:
    rsa, ed = await world.keys.add("a.test", sign_now=True)
    world.keys.retire("a.test", rsa.selector)
    assert sorted(world.states()) == ["retired", "signing"]
    world.keys.remove("a.test", rsa.selector)
    with pytest.raises(Refused, match="would sign now"):
        world.keys.retire("a.test", ed.selector)


async def test_algorithms_do_not_replace_each_other(world: World) -> None:
    keys = await world.keys.add("a.test", sign_now=True)
    assert [key.algorithm for key in keys] == ["rsa-sha256", "ed25519-sha256"]
    assert world.states() == ["signing", "signing"]
    await world.keys.add("a.test", ED, sign_now=True)
    assert sorted(world.states()) == ["retired", "signing", "signing"]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("v=DKIM1; k=ed25519; p=", "revoked"),
        ("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "another key"),
        ("!", "no answer"),
    ],
)
async def test_a_wrong_record_is_told(world: World, record: str, words: str) -> None:
    (key,) = await world.keys.add("a.test", ED)
    world.records[signing_key(key).name] = {"TXT": [record]}
    (problem,) = await world.check()
    assert words in problem
    assert world.states() == ["waiting"]


async def test_the_server_looks_by_itself(world: World) -> None:
    keys = await world.keys.add("a.test", ED)
    world.publish(*keys)
    dns = FakeDns(world.records)
    rounds = 0

    async def sleep(seconds: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            raise asyncio.CancelledError
        assert seconds == 300

    world.clock.sleep = sleep  # type: ignore[method-assign]
    with contextlib.suppress(asyncio.CancelledError):
        await world.keys.watch(lambda: dns, 300)
    assert world.states() == ["signing"]
    assert len(dns.asked) == 1  # what signs is not asked for again


async def test_refusals(world: World) -> None:
    with pytest.raises(Refused, match="not a local domain"):
        await world.keys.add("b.test", ED)
    with pytest.raises(Refused, match="a selector is for one key"):
        await world.keys.add("a.test", selector="x")
    await world.keys.add("a.test", ED, selector="x")
    with pytest.raises(Refused, match="has a key x already"):
        await world.keys.add("a.test", ED, selector="x")
    with pytest.raises(Refused):
        await world.keys.add("a.test", ED, selector="../x")
    with pytest.raises(Refused, match="has no key y"):
        world.keys.get("a.test", "y")
    assert world.keys.get("a.test", "x").state(world.clock.now()) is KeyState.WAITING
