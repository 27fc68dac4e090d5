"""How mail leaves, over real sockets: from which of our addresses, how fast, and what waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from peers.tools import free_port
from postroad.lab.faults import Behaviour, FaultStage, FaultyServer, Script
from postroad.model import Address, DeliveryState, Envelope, Origin, Recipient, Reply, ServerKind
from postroad.ports import QueueFilter
from postroad.runtime.compose import System
from postroad.runtime.config import Config
from tests.unit.runtime.test_compose import NoDns

BLOCK = Reply(554, "5.7.1", "Client host [127.0.0.21] blocked using zen.spamhaus.org")
DAY = 86_400.0
DNS = NoDns(
    MX_there_test=("10 mx.there.test",),
    MX_both_test=("10 mx.both.test",),
    A_mx_there_test=("127.0.0.31",),
    A_mx_both_test=("127.0.0.31",),
    AAAA_mx_both_test=("::1",),
)


class ShiftedClock:
    """The clock of this machine, days ahead of it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@asynccontextmanager
async def hosts(*scripts: Script) -> AsyncIterator[list[FaultyServer]]:
    """Scripted hosts at 127.0.0.31 and, where there are two, ::1, on the same port."""
    async with AsyncExitStack() as stack:
        found: list[FaultyServer] = []
        for script, address in zip(scripts, ("127.0.0.31", "::1"), strict=False):
            port = found[0].port if found else free_port("127.0.0.31")
            server = FaultyServer("mx.there.test", script, address=address, port=port)
            found.append(await stack.enter_async_context(server))
        yield found


def config(tmp_path: Path, port: int, **sections: Any) -> Config:
    base: dict[str, Any] = {
        "server": {"hostname": "mail.here.test", "data_dir": str(tmp_path / "data")},
        "listen": {name: [] for name in ("mx", "submission", "submissions", "pop3", "pop3s")},
        "trust": {"sign": False, "verify": False},
        "delivery": {"port": port, "allow_private": True, "mta_sts": False},
        "queue": {"retry_first_seconds": 1, "poll_seconds": 0.1},
    }
    base["listen"]["local"] = None
    for name, section in sections.items():
        base[name] = {**base.get(name, {}), **section}
    return Config.model_validate(base)


async def submit(system: System, to: str = "a@there.test", count: int = 1) -> None:
    for _ in range(count):
        envelope = Envelope(Address.parse("jo@here.test"), (Recipient(Address.parse(to)),))
        data = b"From: jo@here.test\r\nSubject: x\r\n\r\nHello\r\n"
        await system.intake.submit(envelope, data, Origin(ServerKind.LOCAL))


async def states(system: System, wanted: Sequence[str]) -> list[str]:
    """Wait until the deliveries stand so."""
    everything = QueueFilter(states=tuple(DeliveryState))
    found: list[str] = []
    for _ in range(400):
        found = sorted(each.delivery.state.value for each in await system.desk.list(everything))
        if found == sorted(wanted):
            return found
        await asyncio.sleep(0.025)
    raise AssertionError(found)


async def told(system: System) -> str:
    lines = []
    for item in await system.desk.list(QueueFilter(states=tuple(DeliveryState))):
        journey = await system.journeys.of(item.message.id)
        lines += [f"{line.what}: {line.text}" for line in journey.lines]
    return "\n".join(lines)


async def test_a_blocked_address_is_followed_by_another_and_the_journey_says_so(
    tmp_path: Path,
) -> None:
    script = Script(
        behaviour=Behaviour.PERMFAIL, stage=FaultStage.END, reply=BLOCK, clients=("127.0.0.21",)
    )
    async with hosts(script) as (host,):
        settings = config(
            tmp_path,
            host.port,
            sources={
                "out": {"addresses": ["127.0.0.21 one.here.test", "127.0.0.22 two.here.test"]}
            },
            delivery={
                "port": host.port,
                "allow_private": True,
                "mta_sts": False,
                "sources": "out",
            },
        )
        async with System.open(settings, resolver=DNS) as system:
            await system.start()
            await submit(system, count=2)
            await states(system, ["delivered"] * 2)
            journey = await told(system)
    assert {(each.client, each.helo) for each in host.messages} == {("127.0.0.22", "two.here.test")}
    assert journey.count("source: 127.0.0.21 is blocked by there.test: 554 5.7.1") >= 1
    assert "another is tried" in journey


async def test_the_other_family_is_used_where_one_is_blocked(tmp_path: Path) -> None:
    script = Script(behaviour=Behaviour.PERMFAIL, stage=FaultStage.GREETING, reply=BLOCK)
    async with hosts(script, Script()) as (four, six):
        async with System.open(config(tmp_path, four.port), resolver=DNS) as system:
            await system.start()
            for count in (1, 2):
                await submit(system, "a@both.test")
                await states(system, ["delivered"] * count)
            journey = await told(system)
    assert len(six.messages) == 2
    assert four.sessions == 1
    assert "source: IPv4 is blocked by both.test: another is tried" in journey


async def test_what_is_over_the_cap_waits_for_the_next_day_and_says_so(tmp_path: Path) -> None:
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time()))
    async with hosts(Script()) as (host,):
        settings = config(
            tmp_path,
            host.port,
            warmups={"gentle": {"caps": ["0:2", "1:10"]}},
            sources={
                "out": {"addresses": [f"127.0.0.21 one.here.test {today}"], "warmup": "gentle"}
            },
            streams={"news": {"senders": ["jo@here.test"], "sources": "out"}},
        )
        clock = ShiftedClock()
        async with System.open(settings, resolver=DNS, clock=clock) as system:
            await system.start()
            await submit(system, count=5)
            await states(system, ["delivered"] * 2 + ["due"] * 3)
            # What found its session spent is due at once, and put off by the next one.
            words = (
                "put off: a@there.test: 127.0.0.21 sends no more than 2 a day to there.test "
                "while it warms up; waits until"
            )
            for _ in range(400):
                if (await told(system)).count(words) == 3:
                    break
                await asyncio.sleep(0.025)
            assert (await told(system)).count(words) == 3
            waiting = await system.desk.list(QueueFilter(states=(DeliveryState.DUE,)))
            assert {each.delivery.attempts for each in waiting} == {0}
            assert {each.delivery.due_at % DAY for each in waiting} == {0}
            clock.ahead = DAY
            system.queue.wake()
            await states(system, ["delivered"] * 5)
    assert {each.client for each in host.messages} == {"127.0.0.21"}


async def test_a_provider_gets_so_many_messages_over_a_connection_and_connections(
    tmp_path: Path,
) -> None:
    async with hosts(Script()) as (host,):
        settings = config(
            tmp_path,
            host.port,
            providers={
                "there": {
                    "hosts": ["there.test"],
                    "concurrency": 1,
                    "messages_per_connection": 3,
                    "per_minute": 6000,
                }
            },
        )
        async with System.open(settings, resolver=DNS) as system:
            await system.start()
            await submit(system, count=12)
            await states(system, ["delivered"] * 12)
    assert host.sessions >= 4
    assert len(host.messages) == 12
