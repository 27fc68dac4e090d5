from collections.abc import Iterator

import pytest

from postroad.model import Account
from postroad.service.authenticate import Authenticator, AuthenticatorSettings, Passwords, Throttled
from tests.unit.service.fakes import FakeClock, FakeDirectory

BOB = "bob@x.test"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords()
    yield passwords
    passwords.close()


class World:
    def __init__(self, passwords: Passwords) -> None:
        self.clock = FakeClock()
        self.directory = FakeDirectory()
        self.passwords = passwords
        self.authenticator = Authenticator(
            directory=self.directory,
            clock=self.clock,
            passwords=passwords,
            settings=AuthenticatorSettings(free_failures=2, free_failures_per_client=4),
        )

    async def add(self, address: str, password: str, *, enabled: bool = True) -> None:
        encoded = await self.passwords.hash(password)
        self.directory.add_account(address, password_hash=encoded, enabled=enabled)

    async def verify(self, name: str, password: str, client: str = "192.0.2.1") -> Account | None:
        return await self.authenticator.verify(name, password, client=client)


@pytest.fixture
async def world(passwords: Passwords) -> World:
    world = World(passwords)
    await world.add(BOB, "right")
    return world


async def test_right_and_wrong(world: World) -> None:
    account = await world.verify("Bob@X.test", "right")
    assert account is not None
    assert str(account.address) == BOB
    assert await world.verify(BOB, "wrong") is None
    assert await world.verify("eve@x.test", "right") is None
    assert await world.verify("no address", "right") is None
    assert await world.verify(BOB, "") is None


async def test_a_disabled_account(world: World) -> None:
    await world.add("off@x.test", "right", enabled=False)
    assert await world.verify("off@x.test", "right") is None


async def test_an_unknown_user_costs_a_hash_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str | None] = []
    verify = world.passwords._verify

    def spy(encoded: str | None, password: str) -> bool:
        hashed.append(encoded)
        return verify(encoded, password)

    monkeypatch.setattr(world.passwords, "_verify", spy)
    await world.verify("eve@x.test", "x")
    assert hashed == [None]


async def test_guessing_is_throttled_by_client_and_account(world: World) -> None:
    for _ in range(2):
        assert await world.verify(BOB, "wrong") is None
    with pytest.raises(Throttled):
        await world.verify(BOB, "right")
    # Bob himself, from elsewhere, is not locked out.
    assert await world.verify(BOB, "right", "192.0.2.2") is not None
    world.clock.at += 3
    assert await world.verify(BOB, "right") is not None


async def test_each_further_failure_doubles_the_wait(world: World) -> None:
    waits = []
    for _ in range(2):
        await world.verify(BOB, "wrong")
    for _ in range(3):
        with pytest.raises(Throttled) as throttled:
            await world.verify(BOB, "wrong")
        waits.append(throttled.value.seconds)
        world.clock.at += throttled.value.seconds + 0.1
        await world.verify(BOB, "wrong", "192.0.2.1")
    assert waits == pytest.approx([2, 4, 8])


async def test_one_client_on_many_accounts(world: World) -> None:
    for number in range(4):
        await world.verify(f"user{number}@x.test", "x")
    with pytest.raises(Throttled):
        await world.verify("another@x.test", "x")


async def test_a_login_is_remembered_until_the_password_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.verify(BOB, "right")

    def must_not_hash(encoded: str | None, password: str) -> bool:
        raise AssertionError("hashed again")

    with monkeypatch.context() as patch:
        patch.setattr(world.passwords, "_verify", must_not_hash)
        assert await world.verify(BOB, "right") is not None
    await world.add(BOB, "new")
    assert await world.verify(BOB, "right") is None
    assert await world.verify(BOB, "new") is not None


async def test_an_endless_password_is_not_hashed_as_it_is(world: World) -> None:
    await world.add("long@x.test", "x" * 1024)
    assert await world.verify("long@x.test", "x" * 1025) is None
    assert await world.verify("long@x.test", "x" * 1024) is not None
