"""A POP3 server on loopback in a thread, over mailboxes in memory, for clients that block."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

from postroad.model import Account, Address
from postroad.network.clock import SystemClock, SystemEntropy
from postroad.servers.pop3 import POP3Connection, POP3Service
from postroad.servers.registry import Registry
from postroad.service.authenticate import Authenticator, Visit
from postroad.service.login import SaslLogins
from postroad.service.maildrops import Maildrops
from postroad.service.throttle import Throttled
from postroad.wire.pop3 import ServerConfig
from tests.unit.mailbox.fakes import FakeMailboxes

USER, PASSWORD = "ann@example.test", "open sesame"
ACCOUNT = Account(1, Address.parse(USER), "", 101)
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


class FakeAuthenticator:
    async def verify(self, username: str, password: str, visit: Visit) -> Account | None:
        await asyncio.sleep(0)  # as the real one, which waits for a thread
        if username == "throttled@example.test":
            raise Throttled(7.0)
        if username == "crash@example.test":
            raise RuntimeError("a bug")
        return ACCOUNT if (username, password) == (USER, PASSWORD) else None


@dataclass
class Server:
    mailboxes: FakeMailboxes
    registry: Registry = field(default_factory=Registry)
    machine: ServerConfig = field(
        default_factory=lambda: ServerConfig(hostname="pop.test", auth_without_tls=True)
    )
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    loop_kind: str = "asyncio"
    port: int = 0
    loop: asyncio.AbstractEventLoop = field(init=False)

    @contextmanager
    def running(self) -> Iterator["Server"]:
        """Serve until the block ends; nobody may be connected then for long."""
        self.loop = LOOPS[self.loop_kind]()
        server = self.loop.run_until_complete(self._start())
        thread = threading.Thread(target=self.loop.run_forever)
        thread.start()
        try:
            yield self
        finally:
            self.call(self.registry.shut_down(0.5))
            self.loop.call_soon_threadsafe(self.loop.stop)
            thread.join()
            server.close()
            self.loop.run_until_complete(asyncio.sleep(0.01))
            self.loop.close()

    async def _start(self) -> asyncio.AbstractServer:
        mailboxes = self.mailboxes
        service = POP3Service(
            machine=self.machine,
            logins=SaslLogins(cast(Authenticator, FakeAuthenticator()), SystemEntropy()),
            maildrops=Maildrops(
                mailboxes=mailboxes,
                content=mailboxes,
                locks=mailboxes,
                ledger=mailboxes,
                clock=SystemClock(),
            ),
            tls=(lambda: cast(ssl.SSLContext, self.tls)) if self.tls else None,
            login_failure_seconds=0.01,
        )
        server = await self.loop.create_server(
            lambda: POP3Connection(service, self.registry, self.loop),
            "127.0.0.1",
            0,
            ssl=self.tls if self.implicit else None,
            ssl_handshake_timeout=1.0 if self.implicit else None,
        )
        self.port = server.sockets[0].getsockname()[1]
        return server

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def log_in(self) -> socket.socket:
        """Return a connection that has logged in and read everything so far."""
        client = self.connect()
        client.sendall(f"USER {USER}\r\nPASS {PASSWORD}\r\n".encode())
        heard = b""
        while heard.count(b"\r\n") < 3:
            heard += client.recv(65536)
        assert heard.split(b"\r\n")[2].startswith(b"+OK maildrop has"), heard
        return client

    def wait_until_alone(self, seconds: float = 5.0) -> None:
        async def watch() -> None:
            while len(self.registry):
                await asyncio.sleep(0.01)

        self.call(asyncio.wait_for(watch(), seconds))


def read_all(client: socket.socket) -> bytes:
    """Everything until the server closes."""
    heard = b""
    try:
        while data := client.recv(65536):
            heard += data
    except ConnectionResetError:
        pass
    return heard
