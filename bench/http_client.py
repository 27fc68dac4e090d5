"""A client of the HTTP API that costs little: kept connections, requests made beforehand, answers
counted by their status lines.
"""

import asyncio
import json
import time
from functools import partial
from typing import cast

from peers.tools import LOOPBACK


def request(path: str, token: str, body: object) -> bytes:
    """Return a whole request."""
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class _Client(asyncio.Protocol):
    def __init__(self, request: bytes, count: int, done: "asyncio.Future[None]") -> None:
        self._request = request
        self._left = count
        self._done = done
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        at = buffer.find(b"content-length: ")
        length = int(buffer[at + 16 : buffer.index(b"\r\n", at)])
        if len(buffer) < end + 4 + length:
            return
        if not buffer.startswith(b"HTTP/1.1 20") or b'"problem"' in buffer:
            self._fail(RuntimeError(f"refused: {bytes(buffer[:500])!r}"))
            return
        buffer.clear()
        self._left -= 1
        assert self._transport is not None
        if self._left:
            self._transport.write(self._request)
        else:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._left:
            self._fail(exc or RuntimeError("the server closed"))

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)


def load(port: int, request: bytes, *, connections: int, requests: int) -> float:
    """Send so many requests over so many connections; return the seconds it took. Raises
    `RuntimeError` where one is refused.
    """

    async def run() -> float:
        loop = asyncio.get_running_loop()
        each = requests // connections
        done: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
        begin = time.perf_counter()
        for future in done:
            await loop.create_connection(partial(_Client, request, each, future), LOOPBACK, port)
        await asyncio.gather(*done)
        return time.perf_counter() - begin

    return asyncio.run(run())
