"""Seeds in which the seven promises must hold. `tests/sim/README` is docs/notes/020-simulator.md."""

import multiprocessing
import os
import subprocess
import sys

import pytest

from tests.sim.simulate import Outcome, settle_down, simulate, total

SHORT, LONG = 300, 100_000
FAULTS = (
    *("crash", "crash at start", "stop", "clock jump"),
    *("write error", "sync error", "found whole", "disk full", "read error"),
    *("reset", "silence", "half", "slow reader", "servfail", "dns time-out"),
    *("receiver busy", "receiver storm", "receiver refuse", "receiver greylist"),
    *("receiver tarpit", "receiver lost_answer", "receiver late_answer", "receiver drop"),
    "receiver bye",
)
_CHUNK = 25


@pytest.mark.timeout(600)
def test_the_promises_hold() -> None:
    _all_hold(1, SHORT)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_the_promises_hold_for_long() -> None:
    _all_hold(SHORT + 1, int(os.environ.get("SIM_SEEDS", LONG)))


@pytest.mark.parametrize("seed", [1, 7, 44, 265])
def test_a_seed_replays_exactly(seed: int) -> None:
    first, second = simulate(seed), simulate(seed)
    assert (first.digest, first.steps, first.counts) == (second.digest, second.steps, second.counts)


def test_a_seed_replays_in_another_process() -> None:
    """Neither the order of hashing nor addresses in memory have a say."""
    code = "from tests.sim.simulate import simulate; print(*(simulate(s).digest for s in range(9)))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def _all_hold(first: int, count: int) -> None:
    failed: list[Outcome] = []
    outcomes: list[Outcome] = []
    with multiprocessing.get_context("spawn").Pool(os.cpu_count() or 1, settle_down) as pool:
        for outcome in pool.imap_unordered(simulate, range(first, first + count), chunksize=_CHUNK):
            outcomes.append(outcome)
            if outcome.problems:
                failed.append(outcome)
                if len(failed) >= 10:
                    break
    told = "\n".join(f"make sim SEED={each.seed}: {each.problems[0]}" for each in failed)
    assert not failed, told
    counts = total(outcomes)
    print(", ".join(f"{name} {number}" for name, number in sorted(counts.items())))
    # A simulator in which nothing goes wrong proves nothing.
    for name in FAULTS:
        assert counts[name] > count // 40, f"too little of {name}: {counts[name]}"
    assert counts["acknowledged"] > 5 * count
