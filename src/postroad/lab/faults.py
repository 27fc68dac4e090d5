"""SMTP servers that misbehave on demand, to see what a sender makes of it.

They speak through the same server machine as our own servers, so whatever is not meant to fail is
right. What they accept they keep in memory (`FaultyServer.messages`), for tests to look at.
"""

import asyncio
import socket
import ssl
import time
from collections import deque
from enum import Enum

from msgspec import Struct

from postroad.model import Address, Reply
from postroad.servers.connection import Connection
from postroad.servers.registry import Registry
from postroad.wire.smtp import (
    DataBegin,
    DataChunk,
    DataEnd,
    Hello,
    Mail,
    Opened,
    Rcpt,
    ServerConfig,
    SMTPServer,
    StartTls,
    Verify,
)
from postroad.wire.smtp.events import Question

MAX_KEPT_MESSAGES = 1000


class Behaviour(Enum):
    """How a scripted host behaves."""

    ACCEPT = "accept"
    REFUSE = "refuse"  # nothing listens: connection refused
    TIMEOUT = "timeout"  # takes the connection and never says a word
    BUSY = "busy"  # greets with 421
    GREYLIST = "greylist"  # 451 at the first RCPT of each sender and recipient, 250 later
    TEMPFAIL = "tempfail"  # 451 at `stage`
    PERMFAIL = "permfail"  # 550 at `stage`
    DROP_AFTER_DOT = "drop_after_dot"  # keeps the message, and closes before it answers
    DROP_IN_DATA = "drop_in_data"  # closes while the message comes in
    SLOW = "slow"  # accepts, but thinks `delay_seconds` before each answer
    BROKEN_TLS = "broken_tls"  # offers STARTTLS, and the handshake fails
    NULL_MX = "null_mx"  # no server at all: an MX record that says so (RFC 7505)

    @classmethod
    def of(cls, behaviour: "Behaviour | str") -> "Behaviour":
        """Return the behaviour of that name, with ``_``, ``-`` or nothing between its words.

        Raises `ValueError` naming all there are.
        """
        if isinstance(behaviour, Behaviour):
            return behaviour
        plain = behaviour.lower().replace("-", "").replace("_", "")
        for each in cls:
            if each.value.replace("_", "") == plain:
                return each
        known = ", ".join(each.value for each in cls)
        raise ValueError(f"{behaviour!r} is no behaviour of a host; there are: {known}")


class FaultStage(Enum):
    """Where TEMPFAIL and PERMFAIL strike."""

    GREETING = "greeting"
    HELLO = "hello"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # the DATA command
    END = "end"  # after the final dot


class Script(Struct, frozen=True, kw_only=True):
    """What a host does. `reply` stands in for the usual refusal; `times` is how often it misbehaves
    (None: always) before it accepts; a greylisted recipient is accepted `greylist_seconds` after it was
    first seen. With `clients` TEMPFAIL and PERMFAIL strike only clients at these addresses.
    """

    behaviour: Behaviour = Behaviour.ACCEPT
    stage: FaultStage = FaultStage.RCPT
    reply: Reply | None = None
    delay_seconds: float = 0.2
    greylist_seconds: float = 0.0
    times: int | None = None
    clients: tuple[str, ...] = ()


class Taken(Struct, frozen=True):
    """A message that a scripted host took: when (seconds since 1970), envelope, octets, link,
    from which address.
    """

    at: float
    sender: Address | None
    recipients: tuple[Address, ...]
    data: bytes
    tls: str | None
    client: str = ""
    helo: str = ""


class FaultyServer:
    """One scripted host on one address and port. Raises `OSError` where these are taken.

    `words` are what clients did, in order: ``"open"``, ``"hello"``, ``"mail"`` … ; `sessions` counts
    connections.
    """

    def __init__(
        self,
        hostname: str,
        script: Script | None = None,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.hostname = hostname
        self.script = script or Script()
        self.address = address
        self.port = port
        self.tls = tls
        self.messages: deque[Taken] = deque(maxlen=MAX_KEPT_MESSAGES)
        self.words: list[str] = []
        self.sessions = 0
        self.ended = asyncio.Event()
        self._seen: dict[tuple[str, str], float] = {}
        self._struck = 0
        self._registry = Registry()
        self._server: asyncio.AbstractServer | None = None
        self._reserved: socket.socket | None = None

    async def __aenter__(self) -> "FaultyServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Bind; listen unless connections are to be refused. Raises `OSError`."""
        sock = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.address, self.port))
        except OSError:
            sock.close()
            raise
        self.port = sock.getsockname()[1]
        self.ended.clear()
        if self.script.behaviour is Behaviour.REFUSE:
            self._reserved = sock  # bound and not listening: ours, and refused by the kernel
            return
        loop = asyncio.get_running_loop()
        self._registry = Registry()
        self._server = await loop.create_server(
            lambda: _FaultyConnection(self, self._registry, loop), sock=sock
        )

    async def stop(self) -> None:
        """Close the port and cut all connections. Safe to call twice."""
        self.ended.set()
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
        if self._server is not None:
            self._server.close()
            self._server = None
            await self._registry.shut_down(0.0)

    async def become(self, script: Script) -> None:
        """Behave otherwise from now on; what was seen and taken is kept."""
        await self.stop()
        self.script = script
        self._struck = 0
        await self.start()

    # Judging

    def strikes(self, behaviour: Behaviour) -> bool:
        """Whether to misbehave in this way now, counting how often it was done."""
        script = self.script
        if script.behaviour is not behaviour:
            return False
        if script.times is not None and self._struck >= script.times:
            return False
        self._struck += 1
        return True

    def refusal(self, stage: FaultStage, client: str = "") -> Reply | None:
        """Return how to refuse `client` at `stage`, None where the host does not."""
        script = self.script
        if script.stage is not stage or (script.clients and client not in script.clients):
            return None
        if self.strikes(Behaviour.TEMPFAIL):
            return script.reply or Reply(451, "4.3.0", "Not now, says the lab")
        if self.strikes(Behaviour.PERMFAIL):
            return script.reply or Reply(550, "5.7.1", "Never, says the lab")
        return None

    def greylisted(self, sender: Address | None, recipient: Address) -> Reply | None:
        """Return the refusal of a recipient who was not seen long enough ago."""
        script = self.script
        if script.behaviour is not Behaviour.GREYLIST:
            return None
        now = time.monotonic()
        first = self._seen.setdefault((str(sender), str(recipient)), now)
        if first != now and now - first >= script.greylist_seconds:
            return None
        return script.reply or Reply(451, "4.7.1", "Greylisted, says the lab: try again later")


class _FaultyConnection(Connection[SMTPServer]):
    """One client of a scripted host."""

    def __init__(
        self, server: FaultyServer, registry: Registry, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(registry, loop)
        self._server = server
        self._sender: Address | None = None
        self._recipients: list[Address] = []
        self._pieces: list[bytes] = []
        self._cut = False
        self._mute = False
        self._helo = ""

    def data_received(self, data: bytes) -> None:
        if self._mute:  # this is the client's part of the handshake
            self.transport.write(b"this is no handshake\r\n")
            self.transport.close()
        else:
            super().data_received(data)

    def open(self, now: float, secure: bool) -> SMTPServer:
        self._server.sessions += 1
        config = ServerConfig(
            hostname=self._server.hostname,
            starttls=self._server.tls is not None
            or self._server.script.behaviour is Behaviour.BROKEN_TLS,
        )
        return SMTPServer(config, now, secure=secure)

    def refusal(self, reason: str) -> bytes:
        return Reply(421, "", f"{self._server.hostname} {reason}").to_bytes()

    def server_tls(self) -> ssl.SSLContext:
        assert self._server.tls is not None, "STARTTLS is offered only with a certificate"
        return self._server.tls

    async def handle(self, event: object) -> None:
        server = self._server
        if isinstance(event, Question):
            server.words.append(_WORDS[type(event)])
            if server.script.behaviour is Behaviour.SLOW:
                await asyncio.sleep(server.script.delay_seconds)
        match event:
            case Opened():
                await self._opened()
            case Hello():
                self._helo = event.name
                self._say(FaultStage.HELLO, Reply(250, "", server.hostname))
            case StartTls():
                await self._start_tls()
            case Mail():
                self._sender = event.envelope.sender
                self._recipients, self._pieces = [], []
                self._say(FaultStage.MAIL, Reply(250, "2.1.0", "Ok"))
            case Rcpt():
                self._rcpt(event.recipient.address)
            case DataBegin():
                self._say(FaultStage.DATA, Reply(354, "", "Go on"))
            case DataChunk():
                self._pieces.append(event.data)
                # All of a small message may be there already: what follows is as if it were not.
                if not self._cut and server.strikes(Behaviour.DROP_IN_DATA):
                    self._cut = True
                    self.abort()
            case DataEnd():
                self._data_end()
            case Verify():
                self.machine.reply(Reply(252, "2.0.0", "Perhaps"))
            case _:
                pass  # notices

    async def _opened(self) -> None:
        server = self._server
        if server.strikes(Behaviour.TIMEOUT):
            await server.ended.wait()
            self.abort()
        elif server.strikes(Behaviour.BUSY):
            self.machine.reply(Reply(421, "", "busy, says the lab"))
        else:
            self._say(FaultStage.GREETING, Reply(220, "", f"{server.hostname} ESMTP lab"))

    async def _start_tls(self) -> None:
        self.machine.reply(Reply(220, "2.0.0", "Ready to start TLS"))
        if self._server.strikes(Behaviour.BROKEN_TLS):
            await self.flush()
            self._mute = True
        else:
            await self.upgrade()

    def _rcpt(self, address: Address) -> None:
        server = self._server
        refusal = server.greylisted(self._sender, address) or server.refusal(
            FaultStage.RCPT, self.peer
        )
        if refusal is None:
            self._recipients.append(address)
        self.machine.reply(refusal or Reply(250, "2.1.5", "Ok"))

    def _data_end(self) -> None:
        server = self._server
        if self._cut:
            return
        refusal = server.refusal(FaultStage.END, self.peer)
        if refusal is None:
            taken = Taken(
                time.time(),
                self._sender,
                tuple(self._recipients),
                b"".join(self._pieces),
                self.tls,
                self.peer,
                self._helo,
            )
            server.messages.append(taken)
        if server.strikes(Behaviour.DROP_AFTER_DOT):
            self.abort()
            return
        self.machine.reply(refusal or Reply(250, "2.0.0", f"Ok: {len(server.messages)} taken"))

    def _say(self, stage: FaultStage, welcome: Reply) -> None:
        self.machine.reply(self._server.refusal(stage, self.peer) or welcome)


_WORDS: dict[type[Question], str] = {
    Opened: "open",
    Hello: "hello",
    StartTls: "starttls",
    Mail: "mail",
    Rcpt: "rcpt",
    DataBegin: "data",
    DataEnd: "end",
    Verify: "verify",
}
