import structlog.testing

from postroad.model import Group
from postroad.policy.checks.standing import Standings, StandingSettings
from postroad.ports import StorageError
from postroad.service.standing import StandingDesk
from postroad.storage.memory import MemoryStore
from tests.unit.service.fakes import FakeClock

SETTINGS = StandingSettings()


async def test_what_was_judged_is_written_and_shown() -> None:
    store, clock = MemoryStore(), FakeClock()
    desk = StandingDesk(ledger=store.ledger, store=store.standing, clock=clock)
    standings = Standings(store.standing, clock, SETTINGS)
    standings.judge("a.test", junk=True)
    standings.judge("b.test", junk=False)
    await desk.write(standings)
    await desk.write(standings)
    await desk.mark("b.test", SETTINGS, good=0, junk=5)
    assert [(e.domain, e.good, e.junk) for e in await desk.worst(9)] == [
        ("b.test", 1, 5),
        ("a.test", 0, 1),
    ]


async def test_a_store_that_fails_stops_nothing() -> None:
    def full(group: Group) -> None:
        raise StorageError("disk full")

    store, clock = MemoryStore(before_commit=full), FakeClock()
    desk = StandingDesk(ledger=store.ledger, store=store.standing, clock=clock)
    standings = Standings(store.standing, clock, SETTINGS)
    standings.judge("a.test", junk=True)
    with structlog.testing.capture_logs() as logs:
        await desk.write(standings)
    assert logs[0]["error"] == "disk full"
