from postroad.model import Address
from postroad.policy import Defer
from postroad.policy.checks.dns_lists import Listed
from postroad.policy.checks.greylist import Greylist, GreylistSettings, greylist, network_of
from postroad.storage.moments import LocalMoments
from tests.unit.policy.checks.asking import ALL, ANN, BOB, origin, passes, rcpt_to, verdict
from tests.unit.service.fakes import FakeClock

SETTINGS = GreylistSettings(seconds=300, window_seconds=3600, known_seconds=86_400)


def make() -> tuple[Greylist, FakeClock]:
    clock = FakeClock()
    return Greylist(SETTINGS, clock, LocalMoments(max_keys=10)), clock


def ask(memory: Greylist, client: str = "192.0.2.1", recipient: str = "bob@us.test") -> float:
    return memory.wait(client, "ann@sender.test", recipient)


def test_who_comes_again_is_known() -> None:
    memory, clock = make()
    assert ask(memory) == 300
    clock.at += 100
    assert ask(memory) == 200, "too early; the time runs from the first try"
    clock.at += 200
    assert ask(memory, "192.0.2.77") == 0.0, "a neighbour may come instead"
    assert ask(memory, recipient="eve@us.test") == 0.0, "known for all mail"
    clock.at += 80_000
    assert ask(memory, recipient="eve@us.test") == 0.0
    clock.at += 80_000
    assert ask(memory) == 0.0, "each mail keeps it known"
    clock.at += 86_401
    assert ask(memory) == 300


def test_who_comes_too_late_begins_anew() -> None:
    memory, clock = make()
    ask(memory)
    clock.at += 3601
    assert ask(memory) == 300
    clock.at += 300
    assert ask(memory) == 0.0


def test_memory_is_bounded() -> None:
    memory, clock = make()
    for number in range(50):
        ask(memory, f"10.0.{number}.1")
    clock.at += 300
    for number in range(40, 50):
        assert ask(memory, f"10.0.{number}.1") == 0.0
    assert ask(memory, "10.0.39.1") == 300, "forgotten"


async def test_the_check() -> None:
    memory, clock = make()
    check = greylist(memory, ALL)
    refused = await verdict(rcpt_to(), check)
    assert isinstance(refused, Defer)
    assert (refused.reply.code, refused.reply.enhanced) == (451, "4.7.1")
    assert "try again in 300 seconds" in refused.reply.text
    assert not await passes(rcpt_to(None, BOB, None), check), "reports are asked too"
    clock.at += 300
    assert await passes(rcpt_to(None, Address.parse("BOB@us.test"), ANN), check)


async def test_whom_it_does_not_ask() -> None:
    memory, _ = make()
    check = greylist(memory, ALL)
    assert await passes(rcpt_to(origin(account="bob@us.test")), check)
    assert await passes(rcpt_to(None, BOB, ANN, Listed(allowed=("good.test",))), check)
    assert not await passes(rcpt_to(None, BOB, ANN, Listed(blocked=("bad.test",))), check)


def test_networks() -> None:
    assert network_of("192.0.2.77") == "192.0.2.0/24"
    assert network_of("::ffff:192.0.2.77") == "192.0.2.0/24"
    assert network_of("2001:db8::1") == "2001:db8::/64"
