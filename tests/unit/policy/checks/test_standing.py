import pytest
from msgspec.structs import replace

from postroad.message.header import Header
from postroad.model import DomainHistory, DomainsJudged, Envelope, Group, Judged
from postroad.policy import Accept, MessageReceived, Quarantine, Reject, Verdict, check
from postroad.policy.checks import standing as module
from postroad.policy.checks.standing import Standings, StandingSettings, standing_check
from postroad.policy.checks.strangers import Action
from postroad.storage.memory import MemoryStore
from postroad.trust.dmarc import DmarcCheck, DmarcResult, DomainCheck, Policy, author_of
from tests.unit.policy.checks.asking import ALL, ANN, decide, origin, verdict
from tests.unit.service.fakes import FakeClock

SETTINGS = StandingSettings(min_messages=4, junk_share=0.75, half_life_seconds=1000)
PASS = DmarcCheck(
    author_of(Header.parse(b"From: a@sender.test\r\n\r\n")),
    DmarcResult.PASS,
    Policy.NONE,
    (DomainCheck("sender.test", DmarcResult.PASS),),
)


class World:
    def __init__(self, action: Action = Action.REJECT) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.standings = Standings(self.store.standing, self.clock, SETTINGS)
        self.check = standing_check(action, self.standings, ALL)

    async def write(self) -> None:
        change = DomainsJudged(self.clock.now(), self.standings.take(), 1000, 100)
        await self.store.ledger.commit(Group((change,)))
        self.standings.let_go()

    def stage(self, *facts: object) -> MessageReceived:
        return MessageReceived(7, origin(), Envelope(ANN), b"", 0, facts=facts)

    async def seen(self, good: int, junk: int) -> None:
        for _ in range(good):
            self.standings.judge("sender.test", junk=False)
        for _ in range(junk):
            self.standings.judge("sender.test", junk=True)


@check(stage=MessageReceived)
async def suspicious(stage: MessageReceived) -> Verdict:
    return Quarantine("looks odd")


@pytest.mark.parametrize("written", [False, True])
async def test_a_bad_name(written: bool) -> None:
    world = World()
    await world.seen(1, 3)
    if written:
        await world.write()
        assert world.standings.take() == ()
    refused = await verdict(world.stage(PASS), world.check)
    assert isinstance(refused, Reject)
    assert refused.reason == "sender.test: 3 of 4 were junk"
    world.clock.at += 3000
    if written:
        assert isinstance(await verdict(world.stage(PASS), world.check), Accept), "long ago"


async def test_a_good_name_and_one_that_is_too_new() -> None:
    world = World()
    assert (await decide(world.stage(PASS), world.check)).rulings == ()
    await world.seen(5, 3)
    decision = await decide(world.stage(PASS), world.check)
    assert isinstance(decision.verdict, Accept)
    assert decision.rulings[0].reason == "sender.test: 3 of 9 were junk"
    assert isinstance(decision.facts[0], DomainHistory)


async def test_what_others_suspect_is_counted_as_junk() -> None:
    world = World(Action.NOTE)
    for _ in range(3):
        await decide(world.stage(PASS), suspicious, world.check)
    await decide(world.stage(PASS), world.check)
    assert world.standings.take() == (Judged("sender.test", 1, 3),)


async def test_a_bad_name_does_not_feed_on_itself() -> None:
    world = World(Action.QUARANTINE)
    await world.seen(0, 4)
    assert isinstance(await verdict(world.stage(PASS), world.check), Quarantine)
    assert world.standings.take() == (Judged("sender.test", 1, 4),)


async def test_only_proven_domains_of_strangers_have_a_name() -> None:
    world = World()
    unproven = replace(PASS, result=DmarcResult.FAIL)
    two = replace(PASS, domains=PASS.domains * 2)
    for facts in ((), (unproven,), (two,)):
        await decide(world.stage(*facts), world.check)
    bob = replace(world.stage(PASS), origin=origin(account="bob@us.test"))
    await decide(bob, world.check)
    assert world.standings.take() == ()


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 3)
    standings = World().standings
    for number in range(9):
        standings.judge(f"{number}.test", junk=True)
    assert len(standings.take()) == 3


async def test_what_is_being_written_counts() -> None:
    standings = Standings(MemoryStore().standing, FakeClock(), SETTINGS)
    standings.judge("sender.test", junk=True)
    standings.take()
    standings.judge("sender.test", junk=False)
    history = await standings.of("sender.test")
    assert (history.good, history.junk) == (1, 1)
    standings.let_go()
    assert (await standings.of("sender.test")).junk == 0
