"""The server's end of the process that writes batches of rows (`writer_process`).

A thread that writes needs the interpreter's lock to begin and to say that it is done, and has to win
it from a busy event loop both times: with 20 clients that was a third of each commit. A process needs
none. One batch is under way at a time. Until the process is ready, and for good once it has ended, the
writer does without.
"""

import asyncio
import contextlib
import marshal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import apsw

from postroad.storage.sql.kinds import Row
from postroad.storage.sqlite.writer_process import HEAD_OCTETS

COMMAND: tuple[str, ...] = (sys.executable, "-P", "-m", "postroad.storage.sqlite.writer_process")
_SEND_OCTETS = 1024 * 1024
_END_SECONDS = 10.0

Done = Callable[[apsw.Error | None, Sequence[int]], None]


class WriterLink(asyncio.Protocol):
    """Starts the process on `path` at once.

    `done` is called for each batch, in the event loop: with what SQLite raised, or None and the ids of
    contents whose rows went. `ended` is called when the process is gone and nobody closed the link; the
    outcome of a batch under way is then unknown. `trouble` is called with what is wrong with
    checkpoints. Raises `OSError` where the process cannot be started.
    """

    def __init__(
        self,
        path: Path,
        loop: asyncio.AbstractEventLoop,
        done: Done,
        ended: Callable[[], None],
        trouble: Callable[[str], None],
    ) -> None:
        self._done, self._ended, self._trouble = done, ended, trouble
        self.ready = False
        self._closing = False
        self._came = b""
        self._transport: asyncio.WriteTransport | None = None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            ours.setblocking(False)
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_OCTETS)
            self._process = subprocess.Popen((*COMMAND, str(path)), stdin=theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._joining = loop.create_task(self._join(ours, loop))

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def write(self, rows: list[Row]) -> bool:
        """Have a batch written; False where one of its values cannot be sent."""
        assert self._transport is not None, "it is ready"
        try:
            data = marshal.dumps(rows)
        except ValueError:
            return False
        self._transport.writelines((len(data).to_bytes(HEAD_OCTETS, "big"), data))
        return True

    async def close(self) -> None:
        """Have the process end, behind what it writes, and wait for that."""
        self._closing = True
        self.ready = False
        with contextlib.suppress(OSError):
            await self._joining
        if self._transport is not None:
            self._transport.close()
        await asyncio.to_thread(self._wait)

    async def _join(self, ours: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await loop.create_unix_connection(lambda: self, sock=ours)
        except BaseException:
            ours.close()
            raise

    def _wait(self) -> None:
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        came = self._came + data if self._came else data
        end = HEAD_OCTETS + int.from_bytes(came[:HEAD_OCTETS], "big")
        if len(came) < HEAD_OCTETS or len(came) < end:
            self._came = came
            return
        self._came = came[end:]
        error, words, swept, trouble = marshal.loads(came[HEAD_OCTETS:end])
        if trouble:
            self._trouble(trouble)
        if not self.ready:
            self.ready = not self._closing
        else:
            self._done(getattr(apsw, error)(words) if error else None, swept)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.ready = False
        if not self._closing:
            # What it wrote last is stored or not once it is dead, and not before.
            self._process.kill()
            self._process.wait()
            self._ended()
