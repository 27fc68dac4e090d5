"""Where servers are killed: one data directory through many lives, clients that load it over real
sockets, a sink that counts what it is sent, and the books that must balance in the end.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
from msgspec import Struct

from peers.tools import free_port
from postroad.lab.faults import FaultyServer, Taken
from postroad.model import (
    Address,
    Delivered,
    DeliveryState,
    Unknown,
)
from postroad.runtime.config import load_config
from postroad.runtime.office import Office
from postroad.storage.sqlite.store import SqliteStore
from tests.violence.books import Balance, deposits_in, messages_in, results_of, unreadable
from tests.violence.clients import BOB, Clients, number_in, recipients_of
from tests.violence.shim import Control, Trouble

ROOT = Path(__file__).resolve().parents[2]
INLINE_MAX = 16_384
PATIENCE_SECONDS = 60.0


class Life(Struct):
    """One life of the server: from when to when, and whether it ended by violence."""

    began: float
    ended: float = float("inf")
    killed: bool = False


class Yard:
    """The data directory with its lives, and all around it. Made by `yard`."""

    def __init__(
        self,
        directory: Path,
        sink: FaultyServer,
        seed: int,
        more: str = "",
        workers: int = 1,
    ) -> None:
        self.directory = directory
        self.data_dir = directory / "data"
        self.sink = sink
        self.random = random.Random(seed)
        self.seed = seed
        self._workers = workers
        self.clients = Clients(free_port())
        self.lives: list[Life] = []
        self.log = directory / "log"
        self.control = Control(directory / "control")
        self._process: subprocess.Popen[bytes] | None = None
        self.config = directory / "postroad.toml"
        self.config.write_text(self._toml() + more)

    async def set_up(self) -> None:
        """Make the store, and the account that local mail goes to."""
        async with Office.open(load_config(self.config, {})) as office:
            await office.domains.add("us.test")
            await office.accounts.add(Address.parse(BOB), "secret")
        (self.data_dir / "content").rmdir()  # so that it is the first life that makes it

    def _toml(self) -> str:
        sections: dict[str, dict[str, Any]] = {
            "server": {
                "hostname": "mx.us.test",
                "data_dir": str(self.data_dir),
                "run_as_root": True,
                "grace_seconds": 5,
                "workers": self._workers,
            },
            "listen": {
                "submission": [f"127.0.0.1:{self.clients.port}"],
                **{name: [] for name in ("mx", "submissions", "pop3", "pop3s")},
                "local": "",
            },
            "submission": {"auth_without_tls": True},
            "storage": {"inline_max_octets": INLINE_MAX, "busy_timeout_seconds": 2},
            "queue": {"retry_first_seconds": 0.2, "retry_max_seconds": 1, "backoff_max_seconds": 1},
            'routes."far.test"': {"via": f"127.0.0.1:{self.sink.port}", "tls": "none"},
        }
        return "".join(
            f"[{name}]\n"
            + "".join(f"{key} = {json.dumps(value)}\n" for key, value in section.items())
            for name, section in sections.items()
        )

    # Lives

    async def start(self, *command: str) -> None:
        """Begin a life and wait until it takes connections."""
        self._process = process = self._begin(command)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, f"it did not start: {self.words()}"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.clients.port)
            except ConnectionError:
                await asyncio.sleep(0.02)
            else:
                writer.transport.abort()
                return
        raise AssertionError(f"it takes no connections: {self.words()}")

    def _begin(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        program = command or ("-m", "postroad.cli.main", "serve", "--config", str(self.config))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("POSTROAD_")}
        self.lives.append(Life(time.time()))
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *program],
                stderr=log,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
            )

    async def refuse_to_start(self, trouble: Trouble) -> int:
        """Begin a life on a disk that is in trouble already; return the code that it ends with."""
        self.control.trouble = trouble
        unused = self.directory / "unused"
        shutil.copytree(self.data_dir, unused)
        process = self._begin(self._on_shim(unused, 0.0))
        try:
            return await asyncio.to_thread(process.wait, PATIENCE_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            self.lives.pop()
            self.control.trouble = Trouble.NONE

    def _on_shim(self, platter: Path, survive: float, *mutations: str) -> tuple[str, ...]:
        return (
            "-m",
            "tests.violence.launcher",
            str(self.config),
            str(self.data_dir),
            str(platter),
            str(self.directory / "control"),
            str(survive),
            str(self.random.randrange(1 << 30)),
            *mutations,
        )

    async def start_on_shim(
        self, *mutations: str, survive: float = 0.0, platter: str = "platter"
    ) -> Path:
        """Begin a life on a disk that can lose power; return the platter."""
        place = self.directory / platter
        shutil.copytree(self.data_dir, place)
        await self.start(*self._on_shim(place, survive, *mutations))
        return place

    async def kill(self) -> None:
        """End the life at once."""
        process = self._process
        assert process is not None
        assert process.poll() is None, f"it ended by itself: {self.words()}"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.lives[-1].ended, self.lives[-1].killed = time.time(), True
        self._process = None
        await self.clients.stop()

    async def kill_worker(self) -> None:
        """End one of the workers at once; the others go on, and it is started anew."""
        process = self._process
        assert process is not None
        await self.until(lambda: len(_children(process.pid)) == self._workers)
        workers = _children(process.pid)
        os.kill(self.random.choice(workers), signal.SIGKILL)
        # What it had on its way to the sink belongs to the life that ends here.
        await asyncio.sleep(0.3)
        self.lives[-1].ended, self.lives[-1].killed = time.time(), True
        self.lives.append(Life(time.time()))
        assert self.running, self.words()

    async def cut_power(self, platter: Path) -> None:
        """End the life, and with it whatever was not on stable storage."""
        await self.kill()
        shutil.rmtree(self.data_dir)
        shutil.rmtree(platter.with_name(platter.name + ".synced"))
        for part in platter.glob("**/*.part"):
            part.unlink()
        for index in platter.glob("*-shm"):
            index.unlink()
        platter.rename(self.data_dir)

    async def stop(self) -> None:
        """End the life in order."""
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, PATIENCE_SECONDS)
        assert code == 0, self.words()
        self.lives[-1].ended = time.time()
        self._process = None
        await self.clients.stop()

    async def close(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        await self.clients.stop()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def load(self, least: int, seconds: float) -> None:
        """Have the clients hand in mail until so many more were acknowledged, and for so long then."""
        before = len(self.clients.acknowledged)
        self.clients.start()
        await self.until(lambda: len(self.clients.acknowledged) >= before + least)
        await asyncio.sleep(seconds)

    async def until(self, condition: Any, seconds: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"it did not happen: {self.words()}"
            await asyncio.sleep(0.01)

    async def drain(self) -> None:
        """Wait until nothing waits."""
        connection = apsw.Connection(
            str(self.data_dir / "postroad.db"), flags=apsw.SQLITE_OPEN_READONLY, vfs="unix"
        )
        connection.set_busy_timeout(5000)
        waiting = "SELECT count(*) FROM delivery WHERE ended_at IS NULL"
        try:
            await self.until(lambda: connection.execute(waiting).get == 0)
        finally:
            connection.close()

    def words(self) -> str:
        """The end of the log, and how to see it again."""
        return f"seed {self.seed}: {self.log.read_text()[-3000:] if self.log.exists() else ''}"

    # The books

    @asynccontextmanager
    async def store(self) -> AsyncIterator[SqliteStore]:
        opened = await SqliteStore.open(self.data_dir, inline_max_octets=INLINE_MAX)
        try:
            yield opened
        finally:
            await opened.close()

    async def missing(self) -> list[str]:
        """Return what is wrong with the store right after a crash: every message that was acknowledged
        must be there, with its bytes for as long as somebody still waits for them.
        """
        wrong = []
        async with self.store() as store:
            assert store.database.reader.pragma("integrity_check") == "ok"
            for number, id in self.clients.acknowledged.items():
                message = await store.queue.message(id)
                if message is None:
                    wrong.append(f"{number} was acknowledged and is gone")
                    continue
                states = [each.state for each in await store.queue.deliveries(id)]
                kept = BOB in recipients_of(number) or not all(state.final for state in states)
                if kept and (trouble := await unreadable(store, number, message)):
                    wrong.append(trouble)
        return wrong

    async def balance(self) -> "Balance":
        """Return what became of all mail; everything must have ended."""
        balance = Balance(len(self.clients.sent), len(self.clients.acknowledged))
        takes: dict[tuple[int, str], list[Taken]] = defaultdict(list)
        for taken in self.sink.messages:
            for recipient in taken.recipients:
                takes[number_in(taken.data), str(recipient)].append(taken)
        async with self.store() as store:
            assert store.database.reader.pragma("integrity_check") == "ok"
            stored = await messages_in(store)
            deposited = await deposits_in(store)
            for number in self.clients.acknowledged.keys() - stored.keys():
                balance.wrong.append(f"{number} was acknowledged and is gone")
            for number, name in takes:
                if number not in stored:
                    balance.wrong.append(f"{number} went to {name} before it was ours")
            for number, message in stored.items():
                for each in await store.queue.deliveries(message.id):
                    if each.state is not DeliveryState.DELIVERED:
                        balance.wrong.append(f"{number} to {each.recipient}: {each.state}")
                    name = str(each.recipient)
                    if name == BOB:
                        if deposited.get(number) != 1:
                            copies = deposited.get(number, 0)
                            balance.wrong.append(f"{number}: {copies} copies in the mailbox")
                        continue
                    results = await results_of(store, message.id, each.ordinal)
                    self._judge(balance, f"{number} to {name}", takes[number, name], results)
        return balance

    def _judge(
        self, balance: "Balance", name: str, takes: Sequence[Taken], results: Sequence[object]
    ) -> None:
        """Taken once; more often only as often as the journey says unknown."""
        balance.relayed += 1
        if not takes:
            balance.wrong.append(f"{name}: lost")
        delivered = sum(isinstance(outcome, Delivered) for outcome in results)
        unknown = sum(isinstance(outcome, Unknown) for outcome in results)
        if delivered != 1:
            balance.wrong.append(f"{name}: delivered {delivered} times by its journey")
        if len(takes) > 1 + unknown:
            balance.wrong.append(f"{name}: taken {len(takes)} times, {unknown} of them unknown")
        balance.unknown += unknown
        balance.duplicates += max(0, len(takes) - 1)


def _children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@asynccontextmanager
async def yard(
    directory: Path, seed: int, more: str = "", *, workers: int = 1
) -> AsyncIterator[Yard]:
    """A yard with its sink; `more` is added to the configuration. Whatever still runs at the end is
    killed.
    """
    async with FaultyServer("mx.far.test") as sink:
        sink.messages = deque()  # all of them
        made = Yard(directory, sink, seed, more, workers)
        await made.set_up()
        try:
            yield made
        finally:
            await made.close()
