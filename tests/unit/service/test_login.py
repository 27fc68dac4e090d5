"""Whole exchanges: our client against the authenticator."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from postroad.model import Account, Scope
from postroad.network import SystemEntropy
from postroad.service.authenticate import Visit
from postroad.service.login import SaslLogin, SaslLogins
from postroad.service.passwords import Passwords
from postroad.service.throttle import Throttled
from postroad.wire.sasl import Challenge, SaslClient, SaslMalformed
from postroad.wire.sasl.bearer import write_oauthbearer, write_xoauth2
from postroad.wire.sasl.client import LoginClient, PlainClient, ScramClient
from tests.unit.service.test_authenticate import BOB, World

BINDING = b"b" * 32


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(scram_iterations=4096)
    yield passwords
    passwords.close()


@pytest.fixture
async def world(passwords: Passwords) -> World:
    world = World(passwords)
    await world.add(BOB, "right")
    await world.add_app_password(BOB, "for-my-phone", Scope.SMTP)
    return world


def begin(world: World, mechanism: str, *, binding: bytes | None = None) -> SaslLogin:
    logins = SaslLogins(world.authenticator, SystemEntropy(), discovery_url="https://id.example")
    visit = Visit("192.0.2.1", "submission", Scope.SMTP, mechanism)
    return logins.begin(visit, plus_offered=binding is not None, binding=binding)


async def play(login: SaslLogin, client: SaslClient) -> Account | None:
    step = await login.step(client.first)
    while isinstance(step, Challenge):
        answer = client.answer(step.data)
        assert answer is not None
        step = await login.step(answer)
    return step


@pytest.mark.parametrize("password", ["right", "for-my-phone", "wrong"])
@pytest.mark.parametrize("kind", [PlainClient, LoginClient, ScramClient])
async def test_by_password(world: World, kind: type, password: str) -> None:
    more = ("cnonce",) if kind is ScramClient else ()
    client: SaslClient = kind("Bob@x.test", password, *more)
    account = await play(begin(world, client.mechanism), client)
    assert (account is not None) is (password != "wrong")
    assert client.satisfied is (password != "wrong" or kind is not ScramClient)


async def test_nobody_by_scram(world: World) -> None:
    client = ScramClient("eve@x.test", "right", "cnonce")
    assert await play(begin(world, client.mechanism), client) is None


async def test_bound_to_the_channel(world: World) -> None:
    client = ScramClient(BOB, "right", "cnonce", binding=BINDING)
    assert await play(begin(world, client.mechanism, binding=BINDING), client) is not None
    elsewhere = ScramClient(BOB, "right", "cnonce", binding=b"x" * 32)
    assert await play(begin(world, client.mechanism, binding=BINDING), elsewhere) is None


async def test_by_token(world: World) -> None:
    login = begin(world, "OAUTHBEARER")
    account = await login.step(write_oauthbearer(BOB, "for-nobody~x.test"))
    assert isinstance(account, Challenge)
    assert json.loads(account.data)["openid-configuration"] == "https://id.example"
    assert await login.step(b"\x01") is None
    login = begin(world, "OAUTHBEARER")
    assert isinstance(await login.step(write_oauthbearer(BOB, "for-bob~x.test")), Account)
    login = begin(world, "XOAUTH2")
    assert isinstance(await login.step(write_xoauth2(BOB, "for-bob~x.test")), Account)
    login = begin(world, "XOAUTH2")
    denied = await login.step(write_xoauth2(BOB, "bad"))
    assert isinstance(denied, Challenge)
    assert await login.step(b"") is None


async def test_only_as_oneself(world: World) -> None:
    with pytest.raises(SaslMalformed, match="only as yourself"):
        await begin(world, "PLAIN").step(b"eve@x.test\0bob@x.test\0right")
    with pytest.raises(SaslMalformed, match="only as yourself"):
        await begin(world, "SCRAM-SHA-256").step(b"n,a=eve@x.test,n=bob@x.test,r=1")
    assert isinstance(await begin(world, "PLAIN").step(b"BOB@x.test\0bob@x.test\0right"), Account)


async def test_proofs_are_judged_as_guesses_are(world: World) -> None:
    """Exchanges may all have begun before the first was found to be wrong."""
    exchanges = []
    for number in range(6):
        client = ScramClient(BOB, f"guess {number}", "cnonce")
        login = begin(world, client.mechanism)
        offered = await login.step(client.first)
        assert isinstance(offered, Challenge)
        exchanges.append((login, client.answer(offered.data)))
    outcomes = await asyncio.gather(
        *(login.step(proof) for login, proof in exchanges), return_exceptions=True
    )
    assert outcomes[:2] == [None, None]
    assert all(isinstance(each, Throttled) for each in outcomes[2:])
