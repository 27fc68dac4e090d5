"""The upper bound: a bare loop that makes the same commits as we do, and does nothing else.

``python -m bench.bare_loop ADDRESS PORT DATABASE [--relay HOST:PORT]``

An asyncio protocol that speaks just enough SMTP for a benign client, and one writer thread that
commits whatever waits as one group, with our own schema and statements, `synchronous=FULL`: message,
content, delivery and journey, and for a mailbox here its entry in the same commit. With `--relay` a
second group commit writes the outcome, after the message went out over kept, pipelined connections, and
removes the content. There are no limits, no checks, no time-outs, no addresses, no header fields, no
retries, and what is written is made up once: what a real server spends beyond this is the price of
being one.
"""

import argparse
import asyncio
import itertools
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import apsw
import uvloop

from postroad.storage.sql.migrations import load_migrations
from postroad.storage.sql.statements import SQL
from postroad.storage.sqlite.migrations import migrate

RELAY_CONNECTIONS = 20
_END = b"\r\n.\r\n"
_INBOX = 1
# What a message of the benchmark leaves in the journey, by its length.
_ACCEPTED = "x" * 560
_ATTEMPTED = "x" * 190
_DELIVERED = "x" * 440
_REPLY = '{"code":250,"enhanced":"2.0.0","text":"Ok"}'
_PREFIX = b"Return-Path: <sender@source.test>\r\nDelivered-To: user@bench.test\r\n"


class Job:
    """One message on its way."""

    __slots__ = ("data", "id", "peer")

    def __init__(self, number: int, data: bytes, peer: "Sink") -> None:
        self.id = number
        self.data = data
        self.peer = peer


class Writer:
    """One thread that commits what waits; `done` of a batch is called on the loop afterwards."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, relay: "Relay | None") -> None:
        self._loop = loop
        self._relay = relay
        self._database = apsw.Connection(str(path))
        self._database.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("PRAGMA wal_autocheckpoint=4000")
        migrate(self._database, path, load_migrations())
        self._database.execute(SQL["mailbox_insert"], (_INBOX, 1, "INBOX", 1))
        self._uid_next = 1
        self._condition = threading.Condition()
        self._accepted: list[Job] = []
        self._sent: list[Job] = []
        threading.Thread(target=self._run, daemon=True).start()

    def accept(self, job: Job) -> None:
        """Make a message durable, then answer its client."""
        with self._condition:
            self._accepted.append(job)
            self._condition.notify()

    def sent(self, job: Job) -> None:
        """Write that a message has gone out."""
        with self._condition:
            self._sent.append(job)
            self._condition.notify()

    def _run(self) -> None:
        try:
            self._write()
        except BaseException:
            traceback.print_exc()
            os._exit(1)  # or clients would wait for ever

    def _write(self) -> None:
        while True:
            with self._condition:
                while not (self._accepted or self._sent):
                    self._condition.wait()
                accepted, self._accepted = self._accepted, []
                sent, self._sent = self._sent, []
            self._commit(accepted, sent)
            if accepted:
                self._loop.call_soon_threadsafe(self._acknowledge, accepted)

    def _commit(self, accepted: list[Job], sent: list[Job]) -> None:
        now = time.time()
        with self._database:
            if accepted:
                self._accept(accepted, now)
            if sent:
                self._sent_off(sent, now)

    def _accept(self, jobs: list[Job], now: float) -> None:
        many = self._database.executemany
        local = self._relay is None
        many(
            SQL["content_insert"],
            [(job.id, len(job.data), "inline", 0, None, job.data) for job in jobs],
        )
        if local:
            self._deposit(jobs, now)
        many(
            SQL["message_insert"],
            [
                (
                    job.id,
                    now,
                    "sender@source.test",
                    f"<{job.id:x}@source.test>",
                    job.id,
                    _ACCEPTED,
                    None,
                )
                for job in jobs
            ],
        )
        state: Sequence[object] = (
            ("local", "delivered", now, None, None, 1, False, _REPLY, now)
            if local
            else ("sink.test", "leased", now, now + 900, "node", 0, False, None, None)
        )
        many(
            SQL["delivery_insert"],
            [(job.id, 0, "user@bench.test", None, *state) for job in jobs],
        )
        told = (3, now, _DELIVERED) if local else (1, now, None)
        many(
            SQL["journey_insert"],
            [(told[0], told[1], job.id, "accepted", told[2]) for job in jobs],
        )

    def _deposit(self, jobs: list[Job], now: float) -> None:
        rows = []
        for uid, job in enumerate(jobs, self._uid_next):
            size = len(job.data)
            rows.append(
                (_INBOX, uid, uid, job.id, job.id, size, size + len(_PREFIX), 1, now, _PREFIX)
            )
        self._uid_next += len(jobs)
        self._database.executemany(SQL["entry_deposit"], rows)
        self._database.execute(SQL["mailbox_grown"], (_INBOX, len(jobs)))

    def _sent_off(self, jobs: list[Job], now: float) -> None:
        many = self._database.executemany
        many(
            SQL["delivery_attempted"],
            [("delivered", None, None, now, False, _REPLY, job.id, 0) for job in jobs],
        )
        many(SQL["journey_insert"], [(1, now, job.id, "attempted", _ATTEMPTED) for job in jobs])
        many(SQL["content_sweep_message"], [(job.id,) for job in jobs]).fetchall()

    def _acknowledge(self, jobs: list[Job]) -> None:
        relay = self._relay
        for job in jobs:
            job.peer.acknowledge(job)
            if relay is not None:
                relay.give(job)


class Sink(asyncio.Protocol):
    """The server's side of one connection."""

    _numbers = itertools.count(1)

    def __init__(self, accept: Writer) -> None:
        self._writer = accept
        self._buffer = b""
        self._in_data = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._transport.write(b"220 bare.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if self._in_data:
            self._content(buffer)
            return
        replies = []
        while (end := buffer.find(b"\r\n")) >= 0:
            verb = buffer[:4].upper()
            buffer = buffer[end + 2 :]
            if verb == b"DATA":
                replies.append(b"354 go on\r\n")
                self._in_data = True
                break
            if verb == b"EHLO":
                replies.append(b"250-bare.test\r\n250 PIPELINING\r\n")
            elif verb == b"QUIT":
                replies.append(b"221 2.0.0 bye\r\n")
            else:
                replies.append(b"250 2.1.0 Ok\r\n")
        self._send(b"".join(replies))
        if self._in_data:
            self._content(buffer)
        else:
            self._buffer = buffer

    def _content(self, buffer: bytes) -> None:
        end = buffer.find(_END, max(0, len(self._buffer) - 4))
        if end < 0:
            self._buffer = buffer
            return
        self._in_data = False
        self._buffer = buffer[end + 5 :]
        self._writer.accept(Job(next(Sink._numbers), buffer[: end + 2], self))

    def acknowledge(self, job: Job) -> None:
        """Say that the message is ours."""
        self._send(b"250 2.0.0 Ok: queued as %d\r\n" % job.id)

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


class Relay:
    """Hands messages to one host over kept connections."""

    def __init__(self) -> None:
        self.waiting: deque[Job] = deque()
        self.idle: list[Outgoing] = []
        self.writer: Writer | None = None

    async def connect(self, host: str, port: int, writer: Writer) -> None:
        """Open the connections."""
        self.writer = writer
        loop = asyncio.get_running_loop()
        for _ in range(RELAY_CONNECTIONS):
            await loop.create_connection(lambda: Outgoing(self), host, port)

    def give(self, job: Job) -> None:
        """Send a message as soon as a connection is free."""
        if self.idle:
            self.idle.pop().begin(job)
        else:
            self.waiting.append(job)


class Outgoing(asyncio.Protocol):
    """The client's side of one connection. The next envelope goes out with the content before it."""

    _ENVELOPE = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._job: Job | None = None
        self._in_flight: Job | None = None
        self._greeted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def begin(self, job: Job) -> None:
        """Start with a message on an idle connection."""
        self._job = job
        self._write(self._ENVELOPE)

    def data_received(self, data: bytes) -> None:
        lines = (self._buffer + data).split(b"\r\n")
        self._buffer = lines.pop()
        for line in lines:
            if line[3:4] != b"-":
                self._reply(line)

    def _reply(self, line: bytes) -> None:
        if self._greeted < 2:
            self._greeted += 1
            if self._greeted == 1:
                self._write(b"EHLO bare.test\r\n")
            else:
                self._free()
        elif self._in_flight is not None:
            assert self._relay.writer is not None
            self._relay.writer.sent(self._in_flight)
            self._in_flight = None
            if self._job is None:
                self._free()
        elif line[:1] == b"3":
            self._content()

    def _content(self) -> None:
        job = self._job
        assert job is not None
        self._in_flight = job
        self._job = self._relay.waiting.popleft() if self._relay.waiting else None
        end = b".\r\n" if self._job is None else b".\r\n" + self._ENVELOPE
        self._write(job.data + end)

    def _free(self) -> None:
        if self._relay.waiting:
            self.begin(self._relay.waiting.popleft())
        else:
            self._relay.idle.append(self)

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)


async def serve(address: str, port: int, database: Path, relay_to: tuple[str, int] | None) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    relay = Relay() if relay_to else None
    writer = Writer(database, loop, relay)
    if relay is not None and relay_to is not None:
        await relay.connect(*relay_to, writer)
    server = await loop.create_server(lambda: Sink(writer), address, port, backlog=1024)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("database", type=Path)
    parser.add_argument("--relay", metavar="HOST:PORT")
    given = parser.parse_args()
    relay_to = None
    if given.relay:
        host, _, port = given.relay.rpartition(":")
        relay_to = (host, int(port))
    uvloop.run(serve(given.address, given.port, given.database, relay_to))


if __name__ == "__main__":
    main()
