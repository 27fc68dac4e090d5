"""Renders by a process that is started with the first job, and anew where it was lost.

Jobs go in one after the other. One that takes too long, or that the process dies of, fails alone.
"""

import asyncio
import contextlib
import sys
from collections.abc import Sequence

import msgspec
import structlog

from postroad.model import Rendered, RenderJob
from postroad.ports import Fault, TemplateFailed
from postroad.runtime.rendering.process import LENGTH

log = structlog.get_logger("postroad.rendering")

COMMAND = (sys.executable, "-P", "-m", "postroad.runtime.rendering.process")
START_SECONDS = 20.0
"""What the first job of a process may take longer, which has to load the libraries."""

_answers: msgspec.json.Decoder[Rendered | Fault] = msgspec.json.Decoder(Rendered | Fault)


class RenderingProcess:
    """Renders one job after the other. Each may take `seconds`."""

    def __init__(self, *, seconds: float, command: Sequence[str] = COMMAND) -> None:
        self._seconds = seconds
        self._command = tuple(command)
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return self._process.pid if self._process is not None else None

    async def render(self, job: RenderJob) -> Rendered:
        """Return the parts of the message. Raises `TemplateFailed`, and `OSError` where there is no
        process to be had.
        """
        async with self._turn:
            found = await self._ask(msgspec.json.encode(job))
        if isinstance(found, Fault):
            raise TemplateFailed(found)
        return found

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _ask(self, job: bytes) -> Rendered | Fault:
        seconds, process = self._seconds, self._process
        if process is None or process.returncode is not None:
            process = self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            seconds += START_SECONDS
        try:
            async with asyncio.timeout(seconds):
                return await _exchange(process, job)
        except TimeoutError:
            await self._end()
            return Fault(
                f"rendering took more than {self._seconds:g} s, see templates.render_seconds"
            )
        except (asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError):
            await self._end()
            log.warning("the rendering process was lost", status=process.returncode)
            return Fault("it cannot be rendered: too deeply nested, or it takes too much memory")
        except BaseException:
            await self._end()  # whoever gave up leaves an answer behind that nobody reads
            raise

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
                process.kill()
        await process.communicate()


async def _exchange(process: asyncio.subprocess.Process, job: bytes) -> Rendered | Fault:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(LENGTH.pack(len(job)) + job)
    await process.stdin.drain()
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    return _answers.decode(await process.stdout.readexactly(length))
