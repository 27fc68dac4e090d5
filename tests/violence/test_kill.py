"""``kill -9`` of a loaded server, or of one of its workers, at random moments: nothing acknowledged is
lost, nothing is doubled but what an attempt in flight explains.
"""

import asyncio
from pathlib import Path

import pytest

from tests.violence.yard import yard


@pytest.mark.parametrize(
    ("kills", "seed"),
    [
        pytest.param(5, 1, id="5 kills"),
        pytest.param(60, 2, id="60 kills", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
async def test_kill_9(tmp_path: Path, kills: int, seed: int) -> None:
    async with yard(tmp_path, seed) as there:
        for _ in range(kills):
            await there.start()
            await there.load(20, there.random.uniform(0.05, 0.6))
            await there.kill()
        assert await there.missing() == []
        await there.start()
        await there.drain()
        await there.stop()
        balance = await there.balance()
        print(balance)
        balance.check(there.words())
        assert balance.acknowledged > 100 * kills / 5
        assert balance.relayed > balance.acknowledged / 2


@pytest.mark.parametrize(
    ("kills", "seed"),
    [
        pytest.param(2, 3, id="2 kills"),
        pytest.param(25, 4, id="25 kills", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
async def test_kill_9_of_a_worker(tmp_path: Path, kills: int, seed: int) -> None:
    async with yard(tmp_path, seed, workers=2) as there:
        await there.start()
        await there.load(20, 0.0)
        for _ in range(kills):
            await asyncio.sleep(there.random.uniform(0.05, 0.6))
            await there.kill_worker()
            least = len(there.clients.acknowledged) + 20
            await there.until(lambda least=least: len(there.clients.acknowledged) > least)
        await there.clients.stop()
        await there.drain()
        await there.stop()
        balance = await there.balance()
        print(balance)
        balance.check(there.words())
