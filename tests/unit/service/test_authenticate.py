import asyncio
import hashlib
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from postroad.model import Account, Address, AppPassword, LoginResult, Scope
from postroad.service.authenticate import (
    Authenticator,
    AuthenticatorSettings,
    ScramOffer,
    Visit,
    folded,
)
from postroad.service.logins import LoginBook
from postroad.service.passwords import Passwords, scram_salt_of
from postroad.service.throttle import Throttled
from postroad.storage.memory import MemoryStore
from tests.unit.service.fakes import FakeClock, FakeDirectory

BOB = "bob@x.test"
SECRET = b"server secret"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(scram_iterations=4096)
    yield passwords
    passwords.close()


class FakeTokens:
    """Takes the token ``for-LOCAL~DOMAIN``."""

    async def user(self, token: str) -> str | None:
        return token[4:].replace("~", "@") if token.startswith("for-") else None


class World:
    def __init__(self, passwords: Passwords) -> None:
        self.clock = FakeClock()
        self.directory = FakeDirectory()
        self.passwords = passwords
        self.store = MemoryStore()
        self.book = LoginBook(ledger=self.store.ledger, clock=self.clock)
        self.authenticator = Authenticator(
            directory=self.directory,
            clock=self.clock,
            passwords=passwords,
            secret=SECRET,
            book=self.book,
            tokens=FakeTokens(),
            settings=AuthenticatorSettings(
                free_failures=2, free_failures_per_client=4, free_failures_per_account=6
            ),
        )

    async def add(self, address: str, password: str, *, enabled: bool = True) -> None:
        encoded = await self.passwords.hash(password)
        self.directory.add_account(address, password_hash=encoded, enabled=enabled)
        account = self.directory.known_accounts[address]
        salt = scram_salt_of(SECRET, account.address)
        keys = await self.passwords.scram_keys(password, salt)
        self.directory.known_accounts[address] = replace(account, scram=keys)

    async def add_app_password(self, address: str, password: str, *scopes: Scope) -> None:
        account = self.directory.known_accounts[address]
        salt = scram_salt_of(SECRET, account.address)
        self.directory.known_app_passwords.append(
            AppPassword(
                id=len(self.directory.known_app_passwords) + 1,
                account=account.id,
                name=f"for {password}",
                scopes=scopes,
                digest=hashlib.sha256(password.encode()).digest(),
                scram=await self.passwords.scram_keys(password, salt),
                created_at=1.0,
            )
        )

    async def verify(
        self,
        name: str,
        password: str,
        client: str = "192.0.2.1",
        scope: Scope = Scope.SMTP,
    ) -> Account | None:
        return await self.authenticator.verify(name, password, visit(client, scope))

    async def offer(self, name: str, scope: Scope = Scope.SMTP) -> ScramOffer:
        return await self.authenticator.scram_offer(name, visit(scope=scope))

    async def noted(self) -> list[tuple[str, LoginResult, str]]:
        await self.book.flush()
        return [
            (each.username, each.result, each.app_password)
            for each in reversed(await self.store.logins.newest())
        ]


def visit(client: str = "192.0.2.1", scope: Scope = Scope.SMTP) -> Visit:
    return Visit(client, "submission" if scope is Scope.SMTP else "pop3", scope, "PLAIN")


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


async def test_a_victims_other_addresses_are_not_locked_out(world: World) -> None:
    """ATTACKS 7: however many guess, who logged in from here before does not even notice."""
    await world.verify(BOB, "right", "198.51.100.1")
    for number in range(8):
        with_each = f"203.0.113.{number}"
        assert await world.verify(BOB, "guess", with_each) is None
    before = world.clock.at
    assert await world.verify(BOB, "right", "198.51.100.1") is not None
    assert world.clock.at == before, "no stranger, no wait"
    assert await world.verify(BOB, "right", "198.51.100.77") is not None
    assert world.clock.at == before + 3, "a stranger waits, and gets in"
    assert await world.verify("eve@x.test", "x", "198.51.100.78") is None
    assert world.clock.at == before + 3, "other accounts are not concerned"


async def test_an_app_password_is_good_where_it_is_meant_for(world: World) -> None:
    await world.add_app_password(BOB, "pop-only", Scope.POP3)
    assert await world.verify(BOB, "pop-only", scope=Scope.POP3) is not None
    assert await world.verify(BOB, "pop-only", scope=Scope.SMTP) is None
    assert await world.verify("eve@x.test", "pop-only", scope=Scope.POP3) is None
    assert await world.verify(BOB, "right", scope=Scope.POP3) is not None
    assert await world.noted() == [
        (BOB, LoginResult.OK, "for pop-only"),
        (BOB, LoginResult.OUT_OF_SCOPE, "for pop-only"),
        ("eve@x.test", LoginResult.WRONG, ""),
        (BOB, LoginResult.OK, ""),
    ]


async def test_app_passwords_of_a_disabled_account(world: World) -> None:
    await world.add("off@x.test", "right", enabled=False)
    await world.add_app_password("off@x.test", "app", Scope.SMTP)
    assert await world.verify("off@x.test", "app") is None
    assert (await world.offer("off@x.test")).account is None


async def test_what_became_of_each_login_is_noted(world: World) -> None:
    await world.add("off@x.test", "right", enabled=False)
    await world.verify("off@x.test", "right")
    await world.verify("off@x.test", "wrong")
    await world.verify("Bob\x00 ", "x", "192.0.2.9")
    for _ in range(2):
        await world.verify(BOB, "wrong", "192.0.2.8")
    with pytest.raises(Throttled):
        await world.verify(BOB, "wrong", "192.0.2.8")
    assert await world.noted() == [
        ("off@x.test", LoginResult.DISABLED, ""),
        ("off@x.test", LoginResult.WRONG, ""),
        ("bob?", LoginResult.WRONG, ""),
        (BOB, LoginResult.WRONG, ""),
        (BOB, LoginResult.THROTTLED, ""),
    ]


async def test_scram_offers_what_would_let_in(world: World) -> None:
    await world.add_app_password(BOB, "pop-only", Scope.POP3)
    await world.add_app_password(BOB, "smtp-only", Scope.SMTP)
    offer = await world.offer("BOB@x.test")
    assert [which and which.name for which in offer.passwords] == [None, "for smtp-only"]
    assert len({(keys.salt, keys.iterations) for keys in offer.keys}) == 1
    account = world.authenticator.scram_proven(offer, 1, visit())
    assert account is not None
    world.authenticator.scram_failed(offer, visit())
    assert await world.noted() == [
        (BOB, LoginResult.OK, "for smtp-only"),
        (BOB, LoginResult.WRONG, ""),
    ]


async def test_scram_looks_the_same_for_who_does_not_exist(world: World) -> None:
    real = (await world.offer(BOB)).keys[0]
    offers = [await world.offer("eve@x.test") for _ in range(2)]
    fakes = [offer.keys[0] for offer in offers]
    assert fakes[0] == fakes[1], "asked again, the same salt"
    assert fakes[0].salt != real.salt
    assert (len(fakes[0].salt), fakes[0].iterations) == (len(real.salt), real.iterations)
    assert offers[0].account is None
    assert world.authenticator.scram_proven(offers[0], 0, visit()) is None
    other = await world.passwords.scram_keys("right", scram_salt_of(SECRET, Address.parse(BOB)))
    assert other == real, "an account made again under its name has its salt again"


async def test_guesses_at_once_are_no_more_than_one_after_the_other(world: World) -> None:
    outcomes = await asyncio.gather(
        *(world.verify(BOB, f"guess {number}") for number in range(20)), return_exceptions=True
    )
    assert outcomes.count(None) == 2
    assert sum(isinstance(each, Throttled) for each in outcomes) == 18
    world.clock.at += 1000
    right = await asyncio.gather(*(world.verify(BOB, "right") for _ in range(20)))
    assert all(each is not None for each in right)


async def test_scram_is_throttled_too(world: World) -> None:
    for _ in range(2):
        world.authenticator.scram_failed(await world.offer(BOB), visit())
    with pytest.raises(Throttled):
        await world.offer(BOB)


async def test_keys_under_another_salt_are_left_out(world: World) -> None:
    account = world.directory.known_accounts[BOB]
    await world.add_app_password(BOB, "app", Scope.SMTP)
    keys = await world.passwords.scram_keys("right", b"brought along from elsewhere")
    world.directory.known_accounts[BOB] = replace(account, scram=keys)
    assert (await world.offer(BOB)).keys == (keys,)
    world.directory.known_accounts[BOB] = replace(account, scram=None)
    assert [which and which.name for which in (await world.offer(BOB)).passwords] == ["for app"]
    world.directory.known_app_passwords.clear()
    assert (await world.offer(BOB)).account is None


async def test_tokens(world: World) -> None:
    verify = world.authenticator.verify_token
    await world.add("off@x.test", "right", enabled=False)
    assert await verify(BOB, "for-bob~x.test", visit()) is not None
    assert await verify("", "for-BOB~x.test", visit()) is not None
    assert await verify("eve@x.test", "for-bob~x.test", visit()) is None
    assert await verify("", "for-off~x.test", visit("192.0.2.2")) is None
    assert await verify("", "for-nobody~x.test", visit("192.0.2.2")) is None
    assert await verify(BOB, "forged", visit("192.0.2.3")) is None
    assert await verify(BOB, "forged", visit("192.0.2.3")) is None
    with pytest.raises(Throttled):
        await verify(BOB, "for-bob~x.test", visit("192.0.2.3"))


def test_names_are_folded() -> None:
    assert folded(" Bob@X.Test ") == BOB
    assert folded("Bob") == "bob"
    assert len(folded("x" * 1000)) == 320
