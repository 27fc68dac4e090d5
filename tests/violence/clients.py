"""Numbered messages, and the clients that hand them in and note what they are told."""

import asyncio
import base64
import hashlib
import re

from postroad.model import parse_id

BOB = "bob@us.test"
FAR, FURTHER = "fay@far.test", "fred@far.test"
CLIENTS = 8

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
