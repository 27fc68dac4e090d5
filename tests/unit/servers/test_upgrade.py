"""What may happen while a client shakes hands."""

import asyncio
from typing import Any, cast

import pytest
import structlog

from postroad.model import Reply
from postroad.servers.connection import Connection
from postroad.servers.registry import Registry
from postroad.wire.smtp import Hello, Opened, ServerConfig, SMTPServer, StartTls


class _Ssl:
    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str]:
        return ("TEST",)


class _Transport:
    def __init__(self, ssl_object: _Ssl | None = None) -> None:
        self.written = b""
        self.closed = False
        self.ssl_object = ssl_object

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.1", 4000) if name == "peername" else self.ssl_object


class _Server(Connection[SMTPServer]):
    in_handshake = ""

    def open(self, now: float, secure: bool) -> SMTPServer:
        return SMTPServer(ServerConfig(hostname="mx.test", starttls=True), now, secure=secure)

    def server_tls(self) -> Any:
        return None

    async def handle(self, event: object) -> None:
        if isinstance(event, Opened):
            self.machine.reply(Reply(220, "", "hello"))
        elif isinstance(event, Hello):
            self.machine.reply(Reply(250, "", "mx.test"))
        elif isinstance(event, StartTls):
            self.machine.reply(Reply(220, "2.0.0", "go"))
            await self.upgrade()


class _Loop:
    """Only the handshake is ours; meanwhile something happens to the connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.meanwhile = "shut_down"
        self.connection: _Server
        self.secured = _Transport(_Ssl())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def start_tls(self, *_: Any, **__: Any) -> _Transport:
        getattr(self.connection, self.meanwhile)()
        return self.secured


@pytest.mark.parametrize("meanwhile", ["shut_down", "eof_received"])
async def test_the_end_comes_during_the_handshake(meanwhile: str) -> None:
    loop = _Loop(asyncio.get_running_loop())
    loop.meanwhile = meanwhile
    connection = loop.connection = _Server(Registry(), cast(asyncio.AbstractEventLoop, loop))
    clear = _Transport()
    connection.connection_made(cast(asyncio.BaseTransport, clear))
    connection.data_received(b"EHLO client.test\r\n")
    with structlog.testing.capture_logs() as logged:
        connection.data_received(b"STARTTLS\r\n")
    assert logged == []
    # Nothing is said in clear any more, and the connection ends in order.
    assert clear.written.endswith(b"220 2.0.0 go\r\n")
    assert not clear.closed
    assert loop.secured.closed
    connection.connection_lost(None)
