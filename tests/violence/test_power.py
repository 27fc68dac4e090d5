"""The power is cut: only what was on stable storage is left, and that must be everything acknowledged.

Each promise of the store that makes this hold is broken once on purpose, to show that it would be seen.
"""

from pathlib import Path

import pytest

from tests.violence.yard import yard


@pytest.mark.parametrize(
    ("cuts", "survive", "seed"),
    [
        pytest.param(2, 0.0, 11, id="nothing unsynced survives"),
        pytest.param(3, 0.4, 12, id="some unsynced writes survive, torn and out of order"),
        pytest.param(20, 0.0, 13, id="soak", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
        pytest.param(
            30, 0.4, 14, id="soak, torn", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]
        ),
    ],
)
async def test_power_cuts(tmp_path: Path, cuts: int, survive: float, seed: int) -> None:
    async with yard(tmp_path, seed) as there:
        for _ in range(cuts):
            platter = await there.start_on_shim(survive=survive)
            await there.load(60, there.random.uniform(0.05, 0.5))
            await there.cut_power(platter)
            assert await there.missing() == [], there.words()
        await there.start()
        await there.drain()
        await there.stop()
        balance = await there.balance()
        print(balance)
        balance.check(there.words())
        assert balance.acknowledged > 60 * cuts


@pytest.mark.parametrize(
    ("mutation", "told"),
    [
        ("synchronous_off", "was acknowledged and is gone"),
        ("no_file_sync", "It is damaged"),
        ("no_directory_sync", "cannot be read"),
        ("no_folder_sync", "cannot be read"),
        ("no_store_sync", "cannot be read"),
    ],
)
async def test_a_broken_promise_is_seen(tmp_path: Path, mutation: str, told: str) -> None:
    async with yard(tmp_path, 21) as there:
        platter = await there.start_on_shim(mutation)
        await there.load(60, 0.0)
        await there.cut_power(platter)
        wrong = await there.missing()
        assert any(told in each for each in wrong), wrong
