"""What was acknowledged is there after kill -9, and what is there is whole."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from postroad.model import DeliveryState, Deposited
from postroad.ports import QueueFilter
from postroad.storage.postgres import PostgresStore
from postroad.storage.postgres.soundness import ENGINE as POSTGRES
from postroad.storage.sql.verify import Report, verify
from postroad.storage.sqlite.soundness import ENGINE as SQLITE
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.crashing_writer import open_store
from tests.contracts.stores import INBOX
from tests.postgres import a_database, cluster

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 4


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_kill_9_loses_nothing_acknowledged(tmp_path: Path, engine: str) -> None:
    url = a_database() if engine == "postgres" else ""
    said: dict[str, set[int]] = {"accepted": set(), "deposited": set(), "ended": set()}
    for turn in range(ROUNDS):
        lines = _killed_after(tmp_path, url, 10_000_000 * (turn + 1), 0.4 + 0.13 * turn)
        if url and turn % 2:
            cluster().stop("immediate")  # the server as well, as if its machine had gone
            cluster().start()
        assert len(lines) > 40, "the writer hardly wrote"
        for line in lines:
            word, message = line.split()
            said[word].add(int(message))
        await _check(tmp_path, url, said)


def _killed_after(directory: Path, url: str, first: int, seconds: float) -> list[str]:
    """Run the writer, kill it in the midst of its commits, return what it said in whole lines."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contracts.crashing_writer", str(directory), str(first), url],
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


async def verified(store: SqliteStore | PostgresStore) -> Report:
    if isinstance(store, SqliteStore):
        return await verify(store.database.reader, store.large.read, lambda *_: None, SQLITE)
    with store.database.connection() as connection:
        return await verify(connection, store.large.read, lambda *_: None, POSTGRES)


async def _check(directory: Path, url: str, said: dict[str, set[int]]) -> None:
    store = await open_store(directory, url)
    try:
        report = await verified(store)
        assert report.sound, report.problems
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
