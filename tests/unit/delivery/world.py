"""A world of values for delivery: time that moves only when one waits, DNS from a table, servers that
play a part. Nothing here awaits, so each test is one straight dialogue.
"""

import asyncio
from collections.abc import Callable, Coroutine, MutableSequence
from typing import Any, TypeVar

from msgspec.structs import replace

from postroad.delivery import DeliverySettings, RemoteDeliverer
from postroad.model import (
    Address,
    Body,
    ContentRef,
    Delivery,
    Envelope,
    LeasedDelivery,
    Message,
    Notify,
    Origin,
    ServerKind,
    TlsFailure,
    TlsPolicy,
)
from postroad.ports import (
    Answer,
    AnswerStatus,
    Attempt,
    ConnectFailed,
    ContentWriter,
    StorageError,
    TlsFailed,
)
from postroad.storage.memory import MemoryStore

T = TypeVar("T")
Table = dict[str, list[str] | AnswerStatus]

CLOSE = "close"
HANG = "hang"

Answerer = Callable[[str], str]


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


class FakeClock:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return 1_700_000_000.0 + self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


class FakeEntropy:
    """Shuffling turns the order round, so that it shows."""

    def id(self) -> int:
        return 1

    def random(self) -> float:
        return 0.5

    def shuffle(self, items: MutableSequence[Any]) -> None:
        items.reverse()

    def token(self, octets: int) -> str:
        return "x" * octets


class FakeResolver:
    """A table from "name type" to records, or to a status; what is not in it does not exist."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.secure: set[str] = set()  # zones that DNSSEC vouches for
        self.asked: list[str] = []

    async def lookup(self, name: str, rdtype: str) -> Answer:
        key = f"{name} {rdtype}"
        self.asked.append(key)
        entry = self.table.get(key)
        if entry is None:
            known = any(other.split(" ")[0] == name for other in self.table)
            entry = AnswerStatus.NO_DATA if known else AnswerStatus.NO_NAME
        if isinstance(entry, AnswerStatus):
            detail = "SERVFAIL" if entry is AnswerStatus.FAILED else ""
            secure = entry is not AnswerStatus.FAILED and self._is_secure(name)
            return Answer(name, rdtype, entry, (), 60.0, name, secure, detail)
        secure = self._is_secure(name)
        return Answer(name, rdtype, AnswerStatus.FOUND, tuple(entry), 300.0, name, secure)

    def _is_secure(self, name: str) -> bool:
        return any(name == zone or name.endswith(f".{zone}") for zone in self.secure)


class FakeContent:
    """Contents by id."""

    def __init__(self) -> None:
        self.data: dict[int, bytes] = {}
        self.fail_after: int | None = None
        self.largest = 0

    def stage(self, content_id: int) -> ContentWriter:
        raise NotImplementedError

    async def read(self, ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
        if self.fail_after is not None and offset >= self.fail_after:
            raise StorageError("disk is on fire")
        data = self.data[ref.id]
        piece = data[offset:] if limit is None else data[offset : offset + limit]
        self.largest = max(self.largest, len(piece))
        return piece


class FakeServer:
    """A server's part. `says` maps a verb (EHLO, MAIL, RCPT, DATA, END, CONNECT …) to its reply, or
    to a function of the line; CLOSE and HANG in place of a reply do that.
    """

    def __init__(self, extensions: str = "PIPELINING 8BITMIME", **says: str | Answerer) -> None:
        self.extensions = extensions
        self.says = says
        self.lmtp = False
        self.implicit = False
        self.tls: str | None = None  # a reason makes the handshake fail
        self.invalid: TlsFailure | None = None  # the certificate, for those who verify it
        self.chain: tuple[bytes, ...] = ()
        self.handshakes: list[tuple[TlsPolicy, str]] = []
        self.connections = 0
        self.commands: list[str] = []
        self.messages: list[bytes] = []
        self.writes: list[bytes] = []
        self.stream: type[FakeStream] | None = None  # for servers of another kind

    def answer(self, verb: str, line: str, default: str) -> str:
        said = self.says.get(verb, default)
        return said(line) if callable(said) else said


class FakeStream:
    """One connection to a `FakeServer`."""

    def __init__(self, server: FakeServer, clock: FakeClock) -> None:
        self.server = server
        self.tls: str | None = None
        self.source = "127.0.0.1"
        self.chain: tuple[bytes, ...] = ()
        self.closed = False
        self._clock = clock
        self._in = b""
        self._out = b""
        self._gone = False
        self._hung = False
        self._in_data = False
        self._accepted = 0
        self._has_sender = False
        self._has_sender = False
        if not server.implicit:
            self._greet()

    async def receive(self, timeout: float) -> bytes:
        if self._out:
            data, self._out = self._out, b""
            return data
        if self._gone or self.closed:
            return b""
        self._clock.at += timeout
        raise TimeoutError

    async def send(self, data: bytes, timeout: float) -> None:
        if self._gone or self.closed:
            return
        self.server.writes.append(data)
        self._in += data
        while not self._gone and not self._hung and self._step():
            pass

    async def start_tls(self, policy: TlsPolicy, server_name: str, timeout: float) -> None:
        if self._out or self.server.tls is not None:
            self.closed = True
            raise TlsFailed(self.server.tls or "bytes in clear")
        self.server.handshakes.append((policy, server_name))
        if policy is TlsPolicy.VERIFY and self.server.invalid is not None:
            self.closed = True
            raise TlsFailed(f"certificate not valid for {server_name}", self.server.invalid)
        self.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384"
        self.chain = self.server.chain
        if self.server.implicit:
            self._greet()

    def close(self) -> None:
        self.closed = True

    def _greet(self) -> None:
        self._say(self.server.answer("CONNECT", "", "220 mx.test ESMTP"))

    def _step(self) -> bool:
        if self._in_data:
            end = self._in.find(b"\r\n.\r\n")
            if self._in.startswith(b".\r\n"):
                content, self._in = b"", self._in[3:]
            elif end < 0:
                if "PIECE" in self.server.says:
                    self._say(self.server.answer("PIECE", "", ""))
                return False
            else:
                content, self._in = self._in[: end + 2], self._in[end + 5 :]
            self._in_data = False
            self._end(content)
            return True
        end = self._in.find(b"\r\n")
        if end < 0:
            return False
        line, self._in = self._in[:end].decode(), self._in[end + 2 :]
        self._command(line)
        return True

    def _end(self, content: bytes) -> None:
        self.server.messages.append(content.replace(b"\r\n..", b"\r\n."))
        for _ in range(self._accepted if self.server.lmtp else 1):
            self._say(self.server.answer("END", content.decode("latin-1"), "250 2.0.0 queued"))
        self._accepted = 0

    def _command(self, line: str) -> None:
        self.server.commands.append(line)
        verb = line.split(" ")[0].split(":")[0].upper()
        extensions = self.server.extensions
        if self.tls:
            extensions = extensions.replace("STARTTLS", "")
        lines = ["mx.test", *(word.replace("_", " ") for word in extensions.split())]
        hello = "".join(f"250-{text}\r\n" for text in lines[:-1]) + f"250 {lines[-1]}"
        default = {
            "EHLO": hello,
            "LHLO": hello,
            "DATA": "354 go on" if self._accepted else "503 no recipients",
            "STARTTLS": "220 go",
            "AUTH": "235 2.7.0 welcome",
            "QUIT": "221 bye",
            "RCPT": "250 2.1.5 ok" if self._has_sender else "503 no sender",
        }.get(verb, "250 2.1.0 ok")
        reply = self.server.answer(verb, line, default)
        if verb == "RCPT" and reply.startswith("2"):
            self._accepted += 1
        if verb == "MAIL":
            self._has_sender = reply.startswith("2")
        if verb in ("MAIL", "RSET"):
            self._accepted = 0
        self._say(reply)
        self._in_data = verb == "DATA" and reply.startswith("354")

    def _say(self, reply: str) -> None:
        if reply == CLOSE:
            self._gone = True
        elif reply == HANG:
            self._hung = True
        elif reply:
            self._out += reply.encode("latin-1") + b"\r\n"
            if reply.startswith("421"):
                self._gone = True


class FakeNetwork:
    """Servers by address, or by our address and theirs (``"192.0.2.1 > 127.0.0.3"``); a string in place
    of one is the reason why there is no connection.
    """

    def __init__(self, servers: dict[str, FakeServer | str], clock: FakeClock) -> None:
        self.servers = servers
        self.tried: list[tuple[str, int]] = []
        self.sources: list[str | None] = []
        self.streams: list[FakeStream] = []
        self.stream = FakeStream
        self._clock = clock

    async def connect(
        self, address: str, port: int, *, source: str | None = None, timeout: float
    ) -> FakeStream:
        self.tried.append((address, port))
        self.sources.append(source)
        server = self.servers.get(address, "connection refused")
        server = self.servers.get(f"{source} > {address}", server)
        if isinstance(server, str):
            if server == "timed out":
                self._clock.at += timeout
            raise ConnectFailed(server)
        server.connections += 1
        stream = (server.stream or self.stream)(server, self._clock)
        stream.source = source or stream.source
        self.streams.append(stream)
        return stream


ONE_MX: Table = {
    "receiver.test MX": ["10 mx1.receiver.test"],
    "mx1.receiver.test A": ["127.0.0.3"],
}
TWO_MX: Table = {
    "receiver.test MX": ["10 mx1.receiver.test", "20 mx2.receiver.test"],
    "mx1.receiver.test A": ["127.0.0.3"],
    "mx2.receiver.test A": ["127.0.0.4"],
}


class World:
    """All of it joined to a `RemoteDeliverer`."""

    def __init__(
        self,
        servers: dict[str, FakeServer | str] | FakeServer | None = None,
        dns: Table | None = None,
        **settings: Any,
    ) -> None:
        if isinstance(servers, FakeServer):
            servers = {"127.0.0.3": servers}
        self.clock = FakeClock()
        self.resolver = FakeResolver(ONE_MX if dns is None else dns)
        self.network = FakeNetwork(servers or {}, self.clock)
        self.content = FakeContent()
        settings.setdefault("allow_private", True)
        self.settings = DeliverySettings(hostname="sender.test", **settings)
        self.store = MemoryStore()
        self.deliverer = RemoteDeliverer(
            resolver=self.resolver,
            network=self.network,
            content=self.content,
            clock=self.clock,
            entropy=FakeEntropy(),
            settings=self.settings,
            security=self.store.security,
            ledger=self.store.ledger,
            sources=self.store.sources,
        )
        self._messages = 0

    def job(
        self,
        *recipients: str,
        content: bytes = b"Subject: hi\r\n\r\nbody\r\n",
        sender: str | None = "a@sender.test",
        body: Body = Body.SEVEN_BIT,
        smtputf8: bool = False,
        notify: Notify = Notify.DEFAULT,
        requiretls: bool = False,
    ) -> LeasedDelivery:
        self._messages += 1
        number = self._messages
        self.content.data[number] = content
        envelope = Envelope(
            Address.parse(sender) if sender else None,
            body=body,
            smtputf8=smtputf8,
            requiretls=requiretls,
        )
        message = Message(
            number,
            envelope,
            ContentRef(number, len(content)),
            Origin(ServerKind.SUBMISSION),
            self.clock.now(),
        )
        addresses = [Address.parse(text) for text in recipients or ("b@receiver.test",)]
        return LeasedDelivery(
            message,
            tuple(
                Delivery(number, ordinal, address, address, address.domain, notify=notify)
                for ordinal, address in enumerate(addresses)
            ),
        )

    async def send(self, *jobs: LeasedDelivery, pool: str = "") -> list[Attempt]:
        """Route, connect, attempt, close."""
        route = await self.deliverer.route(jobs[0].deliveries[0].destination)
        route = replace(route, pool=pool)
        session = await self.deliverer.connect(route)
        attempts = await session.attempt(jobs)
        await session.close()
        assert all(stream.closed for stream in self.network.streams)
        return attempts


def words(attempt: Attempt) -> str:
    """The steps as lines ``what: text``."""
    return "\n".join(f"{step.what}: {step.text}" for step in attempt.steps)
