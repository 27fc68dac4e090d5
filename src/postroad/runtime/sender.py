"""A small SMTP client for ``postroad send`` and sendmail: one message, every word may be shown."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from postroad.delivery.dialogue import Dialogue
from postroad.model import Envelope, Recipient, Reply, TlsPolicy
from postroad.network import AsyncNetwork, ClientTls, SystemClock
from postroad.ports import ConnectFailed, Stream
from postroad.wire.smtp import (
    AuthDone,
    ClientEvent,
    DataReady,
    EndDone,
    Greeting,
    HelloDone,
    LocalProtocolError,
    Lost,
    RcptDone,
    SMTPClient,
    TlsReady,
    TlsRefused,
    TransactionFailed,
)

Say = Callable[[str], None]
"""Takes a line of the dialogue: ``C: EHLO …``, ``S: 250 …``, ``-- TLSv1.3``."""

_PIECE_OCTETS = 256 * 1024
_CLOSE_SECONDS = 2.0


class SendFailed(Exception):
    """The message was not sent; `reply` is the server's, if it said something, and `refused` what it
    said to recipients (by address).
    """

    def __init__(
        self,
        text: str,
        reply: Reply | None = None,
        refused: tuple[tuple[str, Reply], ...] = (),
    ) -> None:
        super().__init__(text)
        self.reply = reply
        self.refused = refused


class Server(Struct, frozen=True):
    """Where to send, and how. `tls` is ``starttls``, ``implicit`` or ``none``.

    `verify` off takes any certificate. `credentials` are user name and password. `path` is a UNIX
    socket, in place of host and port.
    """

    host: str
    port: int
    tls: str = "starttls"
    verify: bool = True
    credentials: tuple[str, str] | None = None
    path: Path | None = None


class Sent(Struct, frozen=True):
    """The server's last word, and what it said to each recipient (by address)."""

    reply: Reply
    recipients: tuple[tuple[str, Reply], ...]


async def send(
    server: Server,
    envelope: Envelope,
    data: bytes,
    *,
    hostname: str,
    ca_file: Path | None = None,
    timeout_seconds: float = 60.0,
    say: Say | None = None,
) -> Sent:
    """Send `data` (CRLF line ends). Raises `SendFailed`, `ConnectFailed`, `TlsFailed`."""
    heard = say or _silent
    stream = _Overheard(
        await _connect(server, AsyncNetwork(ClientTls(ca_file)), timeout_seconds), heard
    )
    clock = SystemClock()
    secure = server.tls == "implicit"
    machine = SMTPClient(hostname, clock.monotonic(), secure=secure)
    dialogue = Dialogue(stream, machine, clock, timeout_seconds)
    try:
        if secure:
            policy = TlsPolicy.IMPLICIT if server.verify else TlsPolicy.ENCRYPT
            await stream.start_tls(policy, server.host, timeout_seconds)
        session = _Session(server, stream, machine, dialogue, timeout_seconds)
        try:
            await session.open()
            return await session.transact(envelope, data)
        finally:
            await dialogue.quit()
    finally:
        stream.close()
        await _until_closed(stream)


async def _until_closed(stream: Stream) -> None:
    """Wait for the end of the connection: the event loop ends right behind us."""
    with contextlib.suppress(TimeoutError):
        while await stream.receive(_CLOSE_SECONDS):
            pass
    await asyncio.sleep(0)


def _silent(_line: str) -> None:
    pass


async def _connect(server: Server, network: AsyncNetwork, timeout: float) -> Stream:
    """Try every address of the host."""
    if server.path is not None:
        return await network.connect_path(server.path, timeout=timeout)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConnectFailed(f"{server.host}: {error.strerror or error}") from None
    reasons = []
    for address in dict.fromkeys(str(each[4][0]) for each in found):
        try:
            return await network.connect(address, server.port, timeout=timeout)
        except ConnectFailed as error:
            reasons.append(f"{address} port {server.port}: {error.reason}")
    raise ConnectFailed("; ".join(reasons))


class _Session:
    def __init__(
        self,
        server: Server,
        stream: "_Overheard",
        machine: SMTPClient,
        dialogue: Dialogue,
        timeout: float,
    ) -> None:
        self._server = server
        self._stream = stream
        self._machine = machine
        self._dialogue = dialogue
        self._timeout = timeout
        self._now = SystemClock().monotonic

    async def open(self) -> None:
        """Greeting, EHLO, TLS, login."""
        machine, server = self._machine, self._server
        self._must(await self._expect(Greeting), "the server does not greet us")
        await self._hello()
        if server.tls == "starttls":
            if "STARTTLS" not in machine.extensions:
                raise SendFailed("the server does not offer STARTTLS; try --tls implicit or none")
            machine.starttls(self._now())
            event = await self._expect(TlsReady, TlsRefused)
            if isinstance(event, TlsRefused):
                raise SendFailed(f"STARTTLS was refused: {event.reply}", event.reply)
            policy = TlsPolicy.VERIFY if server.verify else TlsPolicy.ENCRYPT
            await self._stream.start_tls(policy, server.host, self._timeout)
            machine.tls_started(self._now())
            await self._hello()
        if server.credentials is not None:
            try:
                machine.auth(*server.credentials, self._now(), allow_plaintext=server.tls == "none")
            except LocalProtocolError as error:
                raise SendFailed(str(error)) from None
            with self._stream.hidden():
                self._must(await self._expect(AuthDone), "the login was refused")

    async def transact(self, envelope: Envelope, data: bytes) -> Sent:
        """MAIL, RCPT, DATA; at least one recipient must be accepted."""
        machine, dialogue = self._machine, self._dialogue
        recipients = envelope.recipients
        missing = machine.missing_extension(envelope, recipients, data.isascii())
        if missing == "SMTPUTF8":
            raise SendFailed("the server lacks SMTPUTF8, which an address of this message needs")
        answers: dict[int, Reply] = {}
        try:
            machine.mail(envelope, recipients, len(data), self._now())
            while True:
                event = await self._expect(RcptDone, DataReady, TransactionFailed, EndDone)
                if isinstance(event, RcptDone):
                    answers[event.index] = event.reply
                elif isinstance(event, DataReady):
                    with self._stream.body(len(data)):
                        await self._body(data)
                elif isinstance(event, TransactionFailed):
                    refused = _refused(recipients, answers)
                    raise SendFailed(_words(event.reply, refused), event.reply, refused)
                elif isinstance(event, EndDone):
                    break
        except LocalProtocolError as error:
            raise SendFailed(str(error)) from None
        reply = event.reply
        if not reply.positive:
            raise SendFailed(f"the message was refused: {reply}", reply)
        await dialogue.flush()
        named = ((str(recipients[index].address), each) for index, each in answers.items())
        return Sent(reply, tuple(named))

    async def _body(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE_OCTETS):
            self._machine.body(data[start : start + _PIECE_OCTETS], self._now())
            await self._dialogue.flush()
        self._machine.end(self._now())
        await self._dialogue.flush()

    async def _hello(self) -> None:
        self._machine.hello(self._now())
        self._must(await self._expect(HelloDone), "EHLO was refused")

    def _must(self, event: ClientEvent, otherwise: str) -> None:
        reply: Reply = event.reply  # type: ignore[union-attr]  # all that we wait for have one
        if not reply.positive:
            raise SendFailed(f"{otherwise}: {reply}", reply)

    async def _expect(self, *kinds: type[ClientEvent]) -> ClientEvent:
        while True:
            event = await self._dialogue.event()
            if isinstance(event, Lost):
                raise SendFailed(f"the connection was lost: {event.reason}")
            if isinstance(event, kinds):
                return event


def _refused(
    recipients: Sequence[Recipient], answers: dict[int, Reply]
) -> tuple[tuple[str, Reply], ...]:
    return tuple(
        (str(recipients[index].address), reply)
        for index, reply in answers.items()
        if not reply.positive
    )


def _words(last: Reply, refused: Sequence[tuple[str, Reply]]) -> str:
    lines = [f"<{address}>: {reply}" for address, reply in refused]
    return "\n".join(lines) or f"the message was refused: {last}"


class _Overheard:
    """A stream that says aloud what passes, without passwords and bodies."""

    def __init__(self, stream: Stream, say: Say) -> None:
        self._stream = stream
        self._say = say
        self._quiet: list[str] | None = None  # what to say instead, once

    @property
    def tls(self) -> str | None:
        return self._stream.tls

    @property
    def source(self) -> str:
        return self._stream.source

    @property
    def chain(self) -> tuple[bytes, ...]:
        return self._stream.chain

    async def receive(self, timeout: float) -> bytes:
        data = await self._stream.receive(timeout)
        for line in data.splitlines():
            self._say(f"S: {line.decode(errors='backslashreplace')}")
        return data

    async def send(self, data: bytes, timeout: float) -> None:
        if self._quiet is not None:
            while self._quiet:
                self._say(f"C: {self._quiet.pop()}")
        else:
            for line in data.splitlines():
                self._say(f"C: {line.decode(errors='backslashreplace')}")
        await self._stream.send(data, timeout)

    async def start_tls(self, policy: TlsPolicy, server_name: str, timeout: float) -> None:
        await self._stream.start_tls(policy, server_name, timeout)
        self._say(f"-- {self._stream.tls}")

    def close(self) -> None:
        self._stream.close()

    def hidden(self) -> "_Quiet":
        """Do not say what is sent within this."""
        return _Quiet(self, "AUTH ********")

    def body(self, octets: int) -> "_Quiet":
        """Say only how much is sent within this."""
        return _Quiet(self, f"(a message of {octets} octets)")


class _Quiet:
    def __init__(self, stream: _Overheard, words: str) -> None:
        self._stream = stream
        self._words = words

    def __enter__(self) -> None:
        self._stream._quiet = [self._words]

    def __exit__(self, *_: object) -> None:
        self._stream._quiet = None
