"""A receiver of webhooks on loopback: a real HTTPS server that verifies what it is sent, and misbehaves
where it is told to.
"""

import asyncio
import base64
import contextlib
import hmac
import json
from typing import Any

from postroad.lab.ca import Authority
from postroad.network import ServerTls

HOST = "hook.test"


class Receiver:
    """`got` are the events it took, `asked` how often it was asked. `answer` is all that it says (None:
    it says nothing, `endless`: it never stops).
    """

    def __init__(self, authority: Authority, address: str, secret: str = "") -> None:
        leaf = authority.issue(HOST)
        self._tls = ServerTls(leaf.certificate, leaf.key).context
        self._address = address
        self.secret = secret
        self.got: list[dict[str, Any]] = []
        self.asked = 0
        self.port = 0
        self.endless = False
        self.silent_for = ""
        self.delay = 0.0
        self.answer = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://{HOST}:{self.port}/hook"

    @property
    def kinds(self) -> list[str]:
        """What was told, without repetitions of an event, in the order it came first."""
        return [
            each["type"] for each in {each["id"]: each for each in reversed(self.got)}.values()
        ][::-1]

    async def start(self) -> None:
        """Listen, on the port of before."""
        self._server = await asyncio.start_server(
            self._serve, self._address, self.port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close port and connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        raw = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(fields["content-length"]))
        self.asked += 1
        event = json.loads(body)
        if self.silent_for and event["data"].get("recipient") == self.silent_for:
            await asyncio.sleep(60)
        await asyncio.sleep(self.delay)
        if self.endless:
            writer.write(b"HTTP/1.1 200 OK\r\n")
        while self.endless:
            writer.write(b"X-More: " + b"x" * 8000 + b"\r\n")
            await writer.drain()
        if self.secret:
            key = base64.b64decode(self.secret.removeprefix("whsec_"))
            signed = f"{raw['webhook-id']}.{raw['webhook-timestamp']}.".encode() + body
            good = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
            assert f"v1,{good}" in raw["webhook-signature"].split(" ")
        if self.answer.startswith(b"HTTP/1.1 2"):
            self.got.append(event)
        writer.write(self.answer)
        await writer.drain()


async def until(said: Any, seconds: float = 20.0) -> None:
    """Wait until `said()` is true."""
    async with asyncio.timeout(seconds):
        while not said():
            await asyncio.sleep(0.05)
