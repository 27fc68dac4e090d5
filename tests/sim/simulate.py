"""Runs a seed, from its storm to its silence, and tells what was broken."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import structlog
from msgspec import Struct

from tests.sim import invariants
from tests.sim.loop import Stuck
from tests.sim.server import HOUR
from tests.sim.workload import HORIZON_SECONDS, Workload
from tests.sim.world import World

_EXPECTED = "check failed; deferred"  # by a check that is meant to fail
_LOST = "the outcome of an attempt could not be stored"


class Outcome(Struct, frozen=True):
    """What a seed came to. `digest` is the same for each run of the same seed and the same code."""

    seed: int
    problems: tuple[str, ...]
    digest: str
    steps: int
    seconds: float
    counts: dict[str, int]


def settle_down() -> None:
    """Let the garbage collector leave alone what is there, and look seldom: a fifth of the time of a
    process that runs many seeds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 1000)


def simulate(seed: int, *, verbose: bool = False, leaning: str = "") -> Outcome:
    """Run one seed. With a `leaning` one kind of trouble comes often: see `World`."""
    world = World(seed, verbose=verbose, leaning=leaning)
    with _listening(world):
        try:
            _run(world)
        except Stuck as error:
            world.book.complain(2, str(error))
        problems = invariants.check(world)
        for server in world.servers:
            for life in server.lives:
                life.loop.kill()
        world.loop.kill()
    counts = world.counts
    counts["letters"] = len(world.book.letters)
    counts["acknowledged"] = sum(each.answer[:1] == b"2" for each in world.book.letters)
    counts["takings"] = sum(map(len, world.book.takings.values()))
    counts["reports"] = sum(each.about is not None for each in world.book.messages.values())
    counts["messages"] = len(world.book.messages)
    return Outcome(
        seed,
        tuple(problems),
        world.digest,
        world.scheduler.steps,
        world.scheduler.now,
        dict(counts),
    )


def _run(world: World) -> None:
    scheduler, loop = world.scheduler, world.loop
    for server in world.servers:
        for node in server.nodes:
            node.start()
    work = Workload(world)
    work.plan()
    scheduler.run(HORIZON_SECONDS)
    world.calm()
    # Every lifetime is at most a day; clocks that were set back and forth add some hours.
    limit = scheduler.now + 60 * HOUR
    step = 60.0
    while scheduler.now < limit:
        loop.run_until(world.release_held(), HOUR)
        scheduler.run(scheduler.now + step)
        step = min(step * 1.5, HOUR)
        if world.quiet() and all(server.up for server in world.servers):
            break
    for line in world.unfinished():
        world.book.complain(2, f"never ends: {line}")
    scheduler.run(scheduler.now + HOUR)  # clients with great patience go home, too
    for server in world.servers:
        for user in range(3):
            reading = work.read(server, f"u{user}@{server.domain}", 0.2)
            # One in ten has no TLS, and is not let in.
            loop.run_until(reading, HOUR)
    for server in world.servers:
        for node in server.nodes:
            loop.run_until(node.stop(30.0), HOUR)


@contextmanager
def _listening(world: World) -> Iterator[None]:
    """Our rooms log: what they log with an exception is a bug, unless a fault was meant to do that."""

    class Ears:
        def __init__(self, logger: Any, processors: Any, context: Any) -> None:
            pass

        def bind(self, **values: Any) -> "Ears":
            return self

        def debug(self, event: str, **values: Any) -> None:
            pass

        info = warning = debug

        def error(self, event: str, **values: Any) -> None:
            if event.startswith(_LOST):
                world.lost_outcomes += 1
            if "exc_info" in values:
                world.book.complain(0, f"logged: {event} {values}")

        def exception(self, event: str, **values: Any) -> None:
            if event != _EXPECTED:
                import traceback

                world.book.complain(0, f"logged: {event} {values} {traceback.format_exc()}")

    before = structlog.get_config()
    structlog.configure(wrapper_class=cast(Any, Ears), cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


def total(outcomes: list[Outcome]) -> Counter[str]:
    """Add up what happened."""
    counts: Counter[str] = Counter()
    for outcome in outcomes:
        counts.update(outcome.counts)
    return counts
