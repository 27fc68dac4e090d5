"""The server's end of one signing process: starts it, asks it, starts it anew.

All is done on the event loop, and as little as possible for a message: what one turn of the loop asks
for goes out in one write, by a transport, which unlike a socket's own methods keeps the interpreter's
lock meanwhile and need not win it back from the writer's thread. If the process dies, what waits for it
fails (and its mail is deferred), and another one is started; so it is where it does not answer in time.
"""

import asyncio
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import cast

import structlog

from postroad.model import KeySet
from postroad.ports import SigningFailed
from postroad.runtime.signing import frames

log = structlog.get_logger("postroad.signing")

COMMAND = (sys.executable, "-P", "-m", "postroad.runtime.signing.process")
MAX_KEY_SETS = 4096
RESTART_SECONDS = 1.0
END_SECONDS = 5.0
_SEND_OCTETS = 1024 * 1024


class SigningProcess:
    """One process, from `start` or the first request until `close`.

    `seconds` is how long an answer may take, `max_octets` what may wait for it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        seconds: float,
        max_octets: int,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._max_octets = max_octets
        self._command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._link: _Link | None = None
        self._known: set[int] = set()
        self._out: list[bytes] = []
        self._flushing = False
        self._waiting: deque[tuple[asyncio.Future[bytes], float, int]] = deque()
        self._waiting_octets = 0
        self._watching = False
        self._started_at = float("-inf")
        self._restart: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return self._process.pid if self._process is not None else None

    @property
    def waiting(self) -> int:
        """How many requests have no answer yet."""
        return len(self._waiting)

    @property
    def ailing(self) -> bool:
        """Whether it failed and is not started anew yet."""
        return self._restart is not None

    def ask(
        self, kind: int, keys: KeySet, now: float, head: bytes, body: bytes
    ) -> "asyncio.Future[bytes]":
        """Ask for a signature. Raises `SigningFailed`, as the future does."""
        if self._link is None:
            self._start_for_a_request()
        octets = len(head) + len(body)
        if self._waiting_octets + octets > self._max_octets:
            raise SigningFailed(f"{self._waiting_octets} octets wait to be signed already")
        if keys.number not in self._known:
            self._tell_keys(keys)
        self._out.append(frames.request(kind, keys.number, now, head, body))
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting.append((future, self._loop.time(), octets))
        self._waiting_octets += octets
        if not self._watching:
            self._watching = True
            self._loop.call_later(self._seconds, self._watch)
        return future

    def start(self) -> None:
        """Start the process, if it does not run. Raises `OSError`."""
        if self._link is not None or self._closed:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            ours.setblocking(False)
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_OCTETS)
            self._process = subprocess.Popen(
                self._command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._link = _Link(self, ours, self._loop)
        self._started_at = self._loop.time()
        self._known.clear()
        log.info("signing process started", pid=self._process.pid)

    async def close(self) -> None:
        """End the process; what waits fails."""
        self._closed = True
        if self._restart is not None:
            self._restart.cancel()
        process = self._process
        self._drop("the server is stopping")
        if process is not None:
            await self._loop.run_in_executor(None, _wait, process)

    def _start_for_a_request(self) -> None:
        if self._closed:
            raise SigningFailed("the server is stopping")
        if self._restart is not None:
            raise SigningFailed("the signing process ended and is started anew in a moment")
        try:
            self.start()
        except OSError as error:
            self._start_later()
            raise SigningFailed(f"the signing process cannot be started: {error}") from error

    def _tell_keys(self, keys: KeySet) -> None:
        if len(self._known) >= MAX_KEY_SETS:
            self._known.clear()
            self._out.append(frames.request(frames.FORGET, 0, 0.0, b"", b""))
        self._known.add(keys.number)
        self._out.append(frames.keys(keys))

    def _flush(self) -> None:
        self._flushing = False
        if self._link is not None and self._out:
            self._link.send(b"".join(self._out))
            self._out.clear()

    def _answered(self, answers: Sequence[bytes]) -> None:
        waiting = self._waiting
        for each in answers:
            if not waiting:
                self._died("it answered what nobody asked")
                return
            future, _, octets = waiting.popleft()
            self._waiting_octets -= octets
            if future.done():
                continue
            if each[0] == frames.SIGNED:
                future.set_result(each[1:])
            else:
                future.set_exception(SigningFailed(each[1:].decode("utf-8", "replace")))

    def _watch(self) -> None:
        """See that answers come in time; looked at once in that time, not for each request."""
        self._watching = False
        if not self._waiting:
            return
        ends_at = self._waiting[0][1] + self._seconds
        now = self._loop.time()
        if now >= ends_at:
            self._died(f"no answer in {self._seconds:g} seconds")
        else:
            self._watching = True
            self._loop.call_at(ends_at, self._watch)

    def _died(self, reason: str) -> None:
        process, waiting = self._process, len(self._waiting)
        self._drop(f"the signing process failed: {reason}")
        assert process is not None, "it was started, or it could not die"
        self._loop.run_in_executor(None, _end, process, reason, waiting)
        if self._loop.time() - self._started_at < RESTART_SECONDS:
            self._start_later()  # it may do so again and again
            return
        try:
            self.start()
        except OSError as error:
            log.error("the signing process cannot be started", error=str(error))
            self._start_later()

    def _start_later(self) -> None:
        self._restart = self._loop.call_later(RESTART_SECONDS, self._start_again)

    def _start_again(self) -> None:
        self._restart = None
        try:
            self.start()
        except OSError as error:
            log.error("the signing process cannot be started", error=str(error))
            self._start_later()

    def _drop(self, reason: str) -> None:
        """Let go of the process, and fail what waits for it."""
        link, self._link, self._process = self._link, None, None
        if link is not None:
            link.close()
        self._out.clear()
        waiting, self._waiting, self._waiting_octets = self._waiting, deque(), 0
        for future, _, _ in waiting:
            if not future.done():
                future.set_exception(SigningFailed(reason))


class _Link(asyncio.Protocol):
    """The socket of one process, until it or we are through with it."""

    def __init__(
        self, process: SigningProcess, connection: socket.socket, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._process: SigningProcess | None = process
        self._reader = frames.FrameReader()
        self._transport: asyncio.WriteTransport | None = None
        self._early: list[bytes] = []  # what is sent before there is a transport
        self._joining = loop.create_task(self._join(connection, loop))
        self._joining.add_done_callback(partial(self._joined, connection))

    def _joined(self, connection: socket.socket, _: "asyncio.Task[None]") -> None:
        if self._transport is None:
            connection.close()

    async def _join(self, connection: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await loop.create_unix_connection(lambda: self, sock=connection)
        except OSError as error:
            self._lost(str(error))

    def send(self, data: bytes) -> None:
        if self._transport is None:
            self._early.append(data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Let go of it: nothing that it says is heard any more."""
        self._process = None
        if self._transport is None:
            self._joining.cancel()
        else:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        if self._process is None:
            self._transport.abort()
        elif self._early:
            self._transport.writelines(self._early)
            self._early.clear()

    def data_received(self, data: bytes) -> None:
        if self._process is None:
            return
        try:
            answers = self._reader.feed(data)
        except frames.BrokenFrame as error:
            self._lost(str(error))
        else:
            self._process._answered(answers)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(str(exc) if exc is not None else "it ended")

    def _lost(self, reason: str) -> None:
        if self._process is not None:
            self._process._died(reason)


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the end of a process whose socket is closed; return its exit code."""
    try:
        return process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _end(process: "subprocess.Popen[bytes]", reason: str, waiting: int) -> None:
    """End a process that failed, and tell of it."""
    process.kill()
    log.error(
        "the signing process failed; starting another",
        pid=process.pid,
        reason=reason,
        code=process.wait(),
        deferred=waiting,
    )
