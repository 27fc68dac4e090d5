"""The server's end of one signing process: starts it, asks it, starts it anew.

All is done on the event loop, and as little as possible for a message: what one turn of the loop asks
for goes out in one write. If the process dies, what waits for it fails (and its mail is deferred), and
another one is started; so it is where it does not answer in time.
"""

import asyncio
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence

import structlog

from postroad.model import KeySet
from postroad.ports import SigningFailed
from postroad.runtime.signing import frames

log = structlog.get_logger("postroad.signing")

COMMAND = (sys.executable, "-P", "-m", "postroad.runtime.signing.process")
MAX_KEY_SETS = 4096
RESTART_SECONDS = 1.0
END_SECONDS = 5.0
_PIECE_OCTETS = 256 * 1024
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
        self._socket: socket.socket | None = None
        self._reader = frames.FrameReader()
        self._known: set[int] = set()
        self._out: list[bytes] = []
        self._unsent = b""
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
        if self._socket is None:
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
        if self._socket is not None or self._closed:
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
        self._socket = ours
        self._started_at = self._loop.time()
        self._reader = frames.FrameReader()
        self._known.clear()
        self._loop.add_reader(ours, self._on_readable)
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
        if self._unsent or not self._out:
            return  # `_on_writable` goes on with it
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        self._send(data)

    def _send(self, data: bytes) -> None:
        connection = self._socket
        if connection is None:
            return
        try:
            sent = connection.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._died(str(error))
            return
        if sent < len(data):
            if not self._unsent:
                self._loop.add_writer(connection, self._on_writable)
            self._unsent = data[sent:]
        elif self._unsent:
            self._unsent = b""
            self._loop.remove_writer(connection)

    def _on_writable(self) -> None:
        self._send(self._unsent)
        if not self._unsent:
            self._flush()

    def _on_readable(self) -> None:
        connection = self._socket
        if connection is None:
            return
        try:
            data = connection.recv(_PIECE_OCTETS)
        except BlockingIOError:
            return
        except OSError as error:
            self._died(str(error))
            return
        if not data:
            self._died("it ended")
            return
        try:
            answers = self._reader.feed(data)
        except frames.BrokenFrame as error:
            self._died(str(error))
            return
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
        connection, self._socket, self._process = self._socket, None, None
        if connection is not None:
            self._loop.remove_reader(connection)
            self._loop.remove_writer(connection)
            connection.close()
        self._out.clear()
        self._unsent = b""
        waiting, self._waiting, self._waiting_octets = self._waiting, deque(), 0
        for future, _, _ in waiting:
            if not future.done():
                future.set_exception(SigningFailed(reason))


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
