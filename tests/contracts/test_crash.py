"""What was acknowledged is there after kill -9, and what is there is whole."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from postroad.model import DeliveryState, Deposited
from postroad.ports import QueueFilter
from postroad.storage.sqlite import SqliteStore
from tests.contracts.stores import INBOX, INLINE_MAX

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 4


async def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    said: dict[str, set[int]] = {"accepted": set(), "deposited": set(), "ended": set()}
    for turn in range(ROUNDS):
        lines = _killed_after(tmp_path, 10_000_000 * (turn + 1), 0.4 + 0.13 * turn)
        assert len(lines) > 100, "the writer hardly wrote"
        for line in lines:
            word, message = line.split()
            said[word].add(int(message))
        await _check(tmp_path, said)


def _killed_after(directory: Path, first: int, seconds: float) -> list[str]:
    """Run the writer, kill it in the midst of its commits, return what it said in whole lines."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contracts.crashing_writer", str(directory), str(first)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    with process.stdout:
        output = process.stdout.readline()
        os.set_blocking(process.stdout.fileno(), False)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            output += process.stdout.read() or b""
            time.sleep(0.01)
        assert process.poll() is None, "it ended by itself"
        process.send_signal(signal.SIGKILL)
        process.wait()
        output += process.stdout.read() or b""
    return output.decode().splitlines()


async def _check(directory: Path, said: dict[str, set[int]]) -> None:
    store = await SqliteStore.open(directory, inline_max_octets=INLINE_MAX)
    try:
        assert store.database.reader.pragma("integrity_check") == "ok"
        items = await store.queue.find(QueueFilter(states=tuple(DeliveryState), limit=10**9))
        there = {item.message.id: item.message for item in items}
        states = {(i.message.id, i.delivery.ordinal): i.delivery.state for i in items}
        assert said["accepted"] <= there.keys()
        for message in said["deposited"]:
            assert states[message, 0] is DeliveryState.DELIVERED
        for message in said["ended"]:
            assert states[message, 1] is DeliveryState.BOUNCED
        deposits = [
            event.change.message
            for event in await store.journey.after(0, 10**9)
            if isinstance(event.change, Deposited)
        ]
        delivered = [key[0] for key, state in states.items() if state is DeliveryState.DELIVERED]
        assert sorted(deposits) == sorted(delivered), "deposit and outcome are one"
        listing = await store.mailboxes.listing(INBOX)
        assert listing is not None
        assert len(listing.uids) == len(deposits)
        for number, whole in there.items():
            data = await store.content.read(whole.content)
            assert len(data) == whole.content.size
            assert data.startswith(b"%d\r\n" % number)
    finally:
        await store.close()
