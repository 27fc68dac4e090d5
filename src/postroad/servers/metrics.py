"""Metrics for who scrapes them: ``/metrics`` and nothing else, on an address of this machine or network.

There is no password, so the configuration lets it listen on loopback and private addresses only. Every
other path is 404. Where the store fails, the answer is 503, as a monitor should notice.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from postroad.ports import StorageError
from postroad.servers.registry import Registry
from postroad.servers.small_file import SmallFileConnection
from postroad.wire.http import HttpRequest

PATH = "/metrics"

log = structlog.get_logger("postroad.servers.metrics")


class MetricsConnection(SmallFileConnection):
    """One client. `text` returns the metrics and raises `StorageError`."""

    def __init__(
        self,
        text: Callable[[], Awaitable[str]],
        content_type: str,
        registry: Registry,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(registry, loop)
        self._text = text
        self._content_type = content_type
        self._task: asyncio.Task[None] | None = None

    def find(self, request: HttpRequest) -> str | None:
        """There is nothing beside what `answer` gives."""
        return None

    def answer(self, request: HttpRequest) -> bool:
        """Answer for the one path; an answer takes a while."""
        if request.target.partition("?")[0] != PATH:
            return False
        if self._task is None:
            self._task = self._loop.create_task(self._say(request.method == "HEAD"))
        return True

    async def _say(self, head_only: bool) -> None:
        try:
            text = await self._text()
        except StorageError as error:
            log.error("metrics cannot be told", error=str(error))
            self._write(503, "Service Unavailable", "the store failed\r\n", head_only)
            return
        self._write(200, "OK", text, head_only, self._content_type)
