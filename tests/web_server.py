"""A web server that answers everything alike, and keeps what it was asked, byte for byte."""

import asyncio
from typing import Any


class PlainWebServer:
    """On a port of loopback, in clear: ``async with PlainWebServer(body, media_type) as server``."""

    def __init__(self, body: bytes, media_type: str, answer: bytes = b"") -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
        head += "Set-Cookie: reader=1\r\nConnection: close\r\n\r\n"
        self.answer = answer or head.encode() + body
        self.requests: list[bytes] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "PlainWebServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: Any) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
