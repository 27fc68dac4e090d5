"""SMTP clients of the latency rows: one that submits message by message, and a paced load.

``python -m bench.smtp_client ADDRESS PORT RECIPIENT RATE`` sends that many messages a second, evenly
(``inf``: each as soon as a connection is free), over kept connections with PIPELINING, until its
standard input ends; then it prints as JSON how many were accepted in how many seconds, and when it
ended (`time.perf_counter()`, which processes share here).
"""

import argparse
import asyncio
import base64
import json
import math
import socket
import sys
import time
from types import TracebackType
from typing import Self, cast

import uvloop

_CHUNK = 65_536
_TIMEOUT_SECONDS = 60
_TICK_SECONDS = 0.002
_CONNECTIONS = 20


class SmtpFailed(Exception):
    """The server refused what it should take."""


def message(size: int, *, sender: str, recipient: str) -> bytes:
    """Return a message of about `size` octets with CRLF line ends, without a line that is a dot."""
    line = b"The quick brown fox jumps over the lazy dog, 0123456789 times this day.....\r\n"
    header = (
        f"From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: a message of the benchmark\r\n"
        "Date: Mon, 02 Jan 2023 03:04:05 +0000\r\nMessage-ID: <1@source.test>\r\n\r\n"
    ).encode()
    return header + line * max(1, (size - len(header)) // len(line))


class SubmissionClient:
    """A kept connection that is logged in."""

    def __init__(self, address: str, port: int, user: str, password: str) -> None:
        self._user = user
        self._socket = socket.create_connection((address, port), timeout=_TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reply(b"220")
        self._command(b"EHLO source.test", b"250")
        plain = base64.b64encode(f"\0{user}\0{password}".encode())
        self._command(b"AUTH PLAIN " + plain, b"235")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def send(self, recipient: str, content: bytes) -> float:
        """Submit a message; return `time.perf_counter()` when its 250 was here."""
        self._command(f"MAIL FROM:<{self._user}>".encode(), b"250")
        self._command(f"RCPT TO:<{recipient}>".encode(), b"250")
        self._command(b"DATA", b"354")
        self._socket.sendall(content + b".\r\n")
        self._reply(b"250")
        return time.perf_counter()

    def _command(self, line: bytes, wanted: bytes) -> None:
        self._socket.sendall(line + b"\r\n")
        self._reply(wanted)

    def _reply(self, wanted: bytes) -> None:
        data = b""
        while True:
            more = self._socket.recv(_CHUNK)
            data += more
            last = data[data.rfind(b"\n", 0, -1) + 1 :]
            if not more or (last.endswith(b"\r\n") and last[3:4] != b"-"):
                break
        if not last.startswith(wanted):
            raise SmtpFailed(f"{data[:200]!r} came instead of {wanted!r}")


class _Sender(asyncio.Protocol):
    """One connection of the load: a transaction at a time, envelope and content pipelined."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._steps = 0  # replies that are still to come until the connection is free

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"EHLO load.test\r\n")
        self._steps = 2

    def send(self) -> None:
        """Begin a message."""
        assert self._transport is not None
        self._steps = 4
        self._transport.write(self._load.envelope)

    def data_received(self, data: bytes) -> None:
        lines = (self._buffer + data).split(b"\r\n")
        self._buffer = lines.pop()
        for line in lines:
            if line[3:4] == b"-":
                continue
            if line[:1] not in (b"2", b"3"):
                raise SmtpFailed(line.decode(errors="replace"))
            self._steps -= 1
            if line[:3] == b"354" and self._transport is not None:
                self._transport.write(self._load.content)
            if self._steps == 0:
                self._load.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._load.lost()


class _Load:
    def __init__(self, recipient: str, rate: float, size: int) -> None:
        sender = "load@source.test"
        self.envelope = f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()
        self.content = message(size, sender=sender, recipient=recipient) + b".\r\n"
        self._rate = rate
        self._idle: list[_Sender] = []
        self._finished = 0
        self._broken = False
        self._saturating = False

    def free(self, sender: _Sender) -> None:
        self._finished += 1
        if self._saturating:
            sender.send()
        else:
            self._idle.append(sender)

    def lost(self) -> None:
        self._broken = True

    async def run(self, address: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        ended = loop.run_in_executor(None, sys.stdin.read)
        for _ in range(_CONNECTIONS):
            await loop.create_connection(lambda: _Sender(self), address, port)
        while len(self._idle) < _CONNECTIONS:
            await asyncio.sleep(_TICK_SECONDS)
        self._finished = begun = 0
        begin = time.perf_counter()
        self._saturating = math.isinf(self._rate)
        while not ended.done() and not self._broken:
            elapsed = time.perf_counter() - begin
            due = _CONNECTIONS if self._saturating else int(elapsed * self._rate)
            while begun < due and self._idle:
                self._idle.pop().send()
                begun += 1
            await asyncio.sleep(_TICK_SECONDS)
        end = time.perf_counter()
        if self._broken:
            raise SmtpFailed("the server closed a connection of the load")
        told = {"messages": self._finished, "seconds": end - begin, "ended": end}
        print(json.dumps(told), flush=True)


def main() -> None:
    """Read the command line and load the server."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("recipient")
    parser.add_argument("rate", type=float)
    parser.add_argument("--size", type=int, default=4096)
    given = parser.parse_args()
    load = _Load(given.recipient, given.rate, given.size)
    uvloop.run(load.run(given.address, given.port))


if __name__ == "__main__":
    main()
