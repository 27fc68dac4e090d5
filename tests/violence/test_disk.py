"""A disk that fills up, turns read-only or fails under load: clients hear 4xx and never anything
worse, the server stays, goes on by itself when the trouble is over, and has lost nothing.
"""

import asyncio
from pathlib import Path

import pytest

from postroad.lab.faults import Behaviour, Script
from tests.violence.shim import Trouble
from tests.violence.yard import Yard, yard

TROUBLES = [each for each in Trouble if each not in (Trouble.NONE, Trouble.CHECKPOINTS_FAIL)]


@pytest.mark.parametrize(
    ("rounds", "seed"),
    [
        pytest.param(1, 31, id="each trouble once"),
        pytest.param(15, 32, id="soak", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
async def test_a_disk_in_trouble(tmp_path: Path, rounds: int, seed: int) -> None:
    async with yard(tmp_path, seed) as there:
        platter = await there.start_on_shim()
        await there.load(20, 0.0)
        for _ in range(rounds):
            for trouble in there.random.sample(TROUBLES, len(TROUBLES)):
                await meet(there, trouble)
        await asyncio.sleep(1.5)  # outcomes that could not be stored are tried again each second
        # What a failed sync did not write must not be missing after all.
        await there.cut_power(platter)
        assert await there.missing() == [], there.words()
        await there.start()
        await there.drain()
        await there.stop()
        balance = await there.balance()
        print(balance, len(there.clients.refused))
        balance.check(there.words())
        codes = {reply[:9] for reply in there.clients.refused.values()}
        codes.discard(b"452 4.5.3")  # enough messages on this connection
        assert codes == {b"452 4.3.1", b"451 4.3.0"}, codes


async def test_a_database_file_that_cannot_be_written(tmp_path: Path) -> None:
    """Only checkpoints fail: mail goes on, and what is in the log alone is not lost."""
    async with yard(tmp_path, 34) as there:
        platter = await there.start_on_shim()
        await there.load(20, 0.0)
        there.control.trouble = Trouble.CHECKPOINTS_FAIL
        await there.until(lambda: there.control.met > 3)
        await there.load(60, 0.0)
        assert "cannot be moved into it" in there.log.read_text()
        there.control.trouble = Trouble.NONE
        await there.load(60, 0.0)
        assert there.clients.refused == {}
        await there.cut_power(platter)
        assert await there.missing() == [], there.words()


async def meet(there: Yard, trouble: Trouble) -> None:
    """Let the trouble come and go; nothing is acknowledged while nothing can be written."""
    clients, control = there.clients, there.control
    met, refused = control.met, len(clients.refused)
    control.trouble = trouble
    await there.until(lambda: control.met > met + 3 and len(clients.refused) > refused + 3)
    await asyncio.sleep(0.1)  # what was on its way through is through
    acknowledged = len(clients.acknowledged)
    await asyncio.sleep(0.2)
    assert len(clients.acknowledged) == acknowledged, f"acknowledged in spite of {trouble.name}"
    assert there.running, there.words()
    control.trouble = Trouble.NONE
    await there.until(lambda: len(clients.acknowledged) > acknowledged + 20)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
async def test_trouble_at_the_start(tmp_path: Path, trouble: Trouble) -> None:
    async with yard(tmp_path, 33) as there:
        # Deliveries are in hand when the power goes, so the next start has something to write.
        await there.sink.become(Script(behaviour=Behaviour.TIMEOUT))
        platter = await there.start_on_shim()
        await there.load(20, 0.0)
        await there.cut_power(platter)
        code = await there.refuse_to_start(trouble)
        assert code == 74, f"EX_IOERR: a supervisor tries again; {there.words()}"
        assert "Traceback" not in there.log.read_text()
        assert await there.missing() == []
