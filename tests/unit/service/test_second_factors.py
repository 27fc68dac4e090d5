import base64

import pytest

from postroad.model import Account, AccountAdded, Address, Domain, DomainAdded, Group
from postroad.network import SystemEntropy
from postroad.service.errors import Refused
from postroad.service.second_factors import FREE_WRONG_CODES, SecondFactors
from postroad.service.throttle import Throttled
from postroad.service.totp import code_at, step_of
from postroad.storage.memory import MemoryStore
from tests.unit.service.fakes import FakeClock

ANN = Account(7, Address("ann", "x.test"), "", 77)


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.factors = SecondFactors(
            ledger=self.store.ledger,
            store=self.store.sessions,
            clock=self.clock,
            entropy=SystemEntropy(),
            issuer="mail.x.test",
        )
        self.secret = b""

    def code(self) -> str:
        return code_at(self.secret, step_of(self.clock.at))

    async def begin(self) -> list[str]:
        changes = (DomainAdded(1.0, Domain("x.test")), AccountAdded(1.0, ANN))
        await self.store.ledger.commit(Group(changes))
        begun = self.factors.begin(ANN)
        self.secret = base64.b32decode(begun.secret)
        codes = await self.factors.confirm(ANN, begun.secret, self.code())
        self.clock.at += 30
        return codes


async def test_codes_and_recovery_codes_are_taken_once() -> None:
    world = World()
    codes = await world.begin()
    assert len(set(codes)) == 10
    code = f"{world.code()[:3]} {world.code()[3:]}"
    assert await world.factors.check(ANN, code), "as apps show it"
    assert not await world.factors.check(ANN, code)
    for each in codes:
        assert await world.factors.check(ANN, each.upper())
    for each in codes:
        assert not await world.factors.check(ANN, each)
    found = await world.factors.look(ANN)
    assert found is not None
    assert found.recovery == ()
    await world.factors.remove(ANN)
    world.clock.at += 3600
    assert not await world.factors.check(ANN, world.code())


async def test_the_code_of_the_enrolment_is_not_taken_again() -> None:
    world = World()
    await world.begin()
    world.clock.at -= 30
    assert not await world.factors.check(ANN, world.code())


async def test_wrong_codes_from_wherever_have_to_wait() -> None:
    world = World()
    codes = await world.begin()
    for _ in range(FREE_WRONG_CODES):
        assert not await world.factors.check(ANN, "000000")
    with pytest.raises(Throttled):
        await world.factors.check(ANN, world.code())
    world.clock.at += 31
    assert not await world.factors.check(ANN, "000000")
    with pytest.raises(Throttled):
        await world.factors.check(ANN, codes[0])
    world.clock.at += 61
    assert await world.factors.check(ANN, world.code())
    assert not await world.factors.check(ANN, "000000"), "and all is forgiven"


async def test_an_enrolment_needs_a_code_of_the_secret() -> None:
    world = World()
    begun = world.factors.begin(ANN)
    for secret, code in ((begun.secret, "000000"), ("AAAA", "000000"), ("!", "0")):
        with pytest.raises(Refused):
            await world.factors.confirm(ANN, secret, code)
