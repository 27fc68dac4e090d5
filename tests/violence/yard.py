"""Where servers are killed: one data directory through many lives, clients that load it over real
sockets, a sink that counts what it is sent, and the books that must balance in the end.
"""

import asyncio
import base64
import hashlib
import json
import os
import random
import re
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
    Accepted,
    Address,
    Attempted,
    Delivered,
    DeliveryState,
    Message,
    Unknown,
    parse_id,
)
from postroad.ports import QueueFilter
from postroad.runtime.config import load_config
from postroad.runtime.office import Office
from postroad.storage.sqlite import SqliteStore
from tests.violence.shim import Control, Trouble

ROOT = Path(__file__).resolve().parents[2]
BOB = "bob@us.test"
FAR, FURTHER = "fay@far.test", "fred@far.test"
CLIENTS = 8
INLINE_MAX = 16_384
PATIENCE_SECONDS = 60.0
# From the moment the other server took a message to the moment the outcome is on our disk. What was
# taken longer before a crash and is sent again was forgotten, not interrupted.
RECORD_SECONDS = 5.0

_LOGIN = base64.b64encode(b"\0bob@us.test\0secret")
_RECIPIENTS = ((BOB,), (FAR,), (BOB, FAR), (FAR, FURTHER))
_QUEUED = re.compile(rb"250 2\.0\.0 Ok: queued as (\w{13})\r\n")


def recipients_of(number: int) -> tuple[str, ...]:
    """Local, relayed, both, or two in one transaction."""
    return _RECIPIENTS[number % 4]


def bytes_of(number: int) -> bytes:
    """Return message `number`; every seventh is too large for the database and becomes a file."""
    line = hashlib.sha256(b"%d" % number).hexdigest().encode() + b"\r\n"
    header = (
        f"Message-ID: <{number}@violence.test>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
        f"Subject: {number}\r\n\r\n"
    )
    return header.encode() + line * (600 if number % 7 == 0 else 15)


_NUMBER = re.compile(rb"^Message-ID: <(\d+)@violence\.test>\r\n", re.MULTILINE)


def number_in(data: bytes) -> int:
    """Return which message this is, as it arrived; every byte of it must be there."""
    found = _NUMBER.search(data)
    assert found is not None, data[:500]
    number = int(found[1])
    assert data.endswith(bytes_of(number)), f"message {number} arrived damaged"
    return number


class Life(Struct):
    """One life of the server: from when to when, and whether it ended by violence."""

    began: float
    ended: float = float("inf")
    killed: bool = False


class Clients:
    """Hand in numbered messages, one transaction after another on each of several connections."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sent: set[int] = set()
        self.acknowledged: dict[int, int] = {}  # message number -> queue id
        self.refused: dict[int, bytes] = {}
        self._next = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._talk()) for _ in range(CLIENTS)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        self._tasks = []

    async def _talk(self) -> None:
        """Until the server is gone."""
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionError:
                return
            try:
                await self._transactions(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.transport.abort()
            await asyncio.sleep(0.01)

    async def _transactions(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await _reply(reader)
        writer.write(b"EHLO client.test\r\n")
        await _reply(reader)
        writer.write(b"AUTH PLAIN " + _LOGIN + b"\r\n")
        await _reply(reader)
        while True:
            number = self._next
            self._next += 1
            recipients = recipients_of(number)
            lines = [f"MAIL FROM:<{BOB}>", *(f"RCPT TO:<{each}>" for each in recipients), "DATA"]
            writer.write("".join(f"{line}\r\n" for line in lines).encode())
            replies = [await _reply(reader) for _ in lines]
            if not replies[-1].startswith(b"354"):
                self.refused[number] = next(each for each in replies if each[:3] != b"250")
                return
            assert all(reply.startswith(b"250") for reply in replies[:-1]), replies
            self.sent.add(number)
            writer.write(bytes_of(number) + b".\r\n")
            last = await _reply(reader)
            queued = _QUEUED.fullmatch(last)
            if queued is not None:
                self.acknowledged[number] = parse_id(queued[1].decode())
            else:
                assert last[:1] == b"4", last
                self.refused[number] = last


async def _reply(reader: asyncio.StreamReader) -> bytes:
    while True:
        line = await reader.readuntil(b"\n")
        if line[3:4] != b"-":
            return line


class Yard:
    """The data directory with its lives, and all around it. Made by `yard`."""

    def __init__(self, directory: Path, sink: FaultyServer, seed: int, more: str = "") -> None:
        self.directory = directory
        self.data_dir = directory / "data"
        self.sink = sink
        self.random = random.Random(seed)
        self.seed = seed
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

    def _toml(self) -> str:
        sections: dict[str, dict[str, Any]] = {
            "server": {
                "hostname": "mx.us.test",
                "data_dir": str(self.data_dir),
                "run_as_root": True,
                "grace_seconds": 5,
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
                if kept and (trouble := await _unreadable(store, number, message)):
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
            stored = await _stored(store)
            deposited = await _deposited(store)
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
                    results = await _results(store, message.id, each.ordinal)
                    self._judge(balance, f"{number} to {name}", takes[number, name], results)
        return balance

    def _judge(
        self,
        balance: "Balance",
        name: str,
        takes: Sequence[Taken],
        results: Sequence[tuple[float, object]],
    ) -> None:
        """Once; or more often where the journey says unknown, or where a crash fell between an attempt
        and its record.
        """
        balance.relayed += 1
        if not takes:
            balance.wrong.append(f"{name}: lost")
        delivered = [at for at, outcome in results if isinstance(outcome, Delivered)]
        if len(delivered) != 1:
            balance.wrong.append(f"{name}: delivered {len(delivered)} times by its journey")
        # What was on its way when a life ended is taken a moment later: it belongs to that life.
        next_lives = [*(life.began for life in self.lives[1:]), float("inf")]
        for index, (life, end) in enumerate(zip(self.lives, next_lives, strict=True)):
            mine = [taken for taken in takes if life.began <= taken.at < end]
            told = [
                outcome
                for at, outcome in results
                if life.began <= at < end and isinstance(outcome, Delivered | Unknown)
            ]
            unrecorded = len(mine) - len(told)
            balance.unknown += sum(isinstance(outcome, Unknown) for outcome in told)
            if unrecorded <= 0:
                continue
            lag = life.ended - mine[-1].at
            if unrecorded > 1 or not life.killed or lag > RECORD_SECONDS:
                balance.wrong.append(
                    f"{name}: {unrecorded} of {len(mine)} deliveries in life {index} are in no journey"
                    f" (the last {lag:.3f} s before its end)"
                )
            balance.unrecorded += 1
            balance.longest_lag = max(balance.longest_lag, lag)
        balance.duplicates += max(0, len(takes) - 1)


class Balance(Struct):
    """What became of all mail. `unrecorded` are deliveries whose record a crash prevented; the longest
    of them was taken `longest_lag` seconds before the crash.
    """

    sent: int
    acknowledged: int
    relayed: int = 0
    duplicates: int = 0
    unknown: int = 0
    unrecorded: int = 0
    longest_lag: float = 0.0
    wrong: list[str] = []

    def check(self, words: str) -> None:
        assert not self.wrong, f"{len(self.wrong)} wrong: {self.wrong[:10]}; {words}"
        assert self.duplicates <= self.unknown + self.unrecorded, self


async def _stored(store: SqliteStore) -> dict[int, Message]:
    items = await store.queue.find(QueueFilter(states=tuple(DeliveryState), limit=10**9))
    messages = {item.message.id: item.message for item in items}
    return {
        int(message.message_id[1:].partition("@")[0]): message
        for message in messages.values()
        if message.message_id.endswith("@violence.test>")
    }


async def _deposited(store: SqliteStore) -> dict[int, int]:
    account = await store.directory.account(Address.parse(BOB))
    assert account is not None
    listing = await store.mailboxes.listing(account.inbox)
    assert listing is not None
    copies: dict[int, int] = defaultdict(int)
    for entry in await store.mailboxes.entries(account.inbox, listing.uids):
        copies[number_in(entry.prefix + await store.content.read(entry.content))] += 1
    return copies


async def _results(store: SqliteStore, message: int, ordinal: int) -> list[tuple[float, object]]:
    events = await store.journey.events(message)
    assert isinstance(events[0].change, Accepted)
    return [
        (event.at, result.outcome)
        for event in events
        if isinstance(event.change, Attempted)
        for result in event.change.results
        if result.ordinal == ordinal
    ]


async def _unreadable(store: SqliteStore, number: int, message: Message) -> str:
    try:
        data = await store.content.read(message.content)
    except Exception as error:
        return f"{number} cannot be read: {error}"
    return "" if data.endswith(bytes_of(number)) else f"{number} is damaged: {len(data)} octets"


@asynccontextmanager
async def yard(directory: Path, seed: int, more: str = "") -> AsyncIterator[Yard]:
    """A yard with its sink; `more` is added to the configuration. Whatever still runs at the end is
    killed.
    """
    async with FaultyServer("mx.far.test") as sink:
        sink.messages = deque()  # all of them
        made = Yard(directory, sink, seed, more)
        await made.set_up()
        try:
            yield made
        finally:
            await made.close()
