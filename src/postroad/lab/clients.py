"""Mail clients of the lab: submission with STARTTLS and AUTH, and POP3 with STLS, over real sockets.

They are small, strict, and apart from the rest of Postroad, which they judge: the certificate is
verified, every reply is checked, and what POP3 gives is handed out byte for byte.
"""

import base64
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from msgspec import Struct

from postroad.model import TlsPolicy
from postroad.network import AsyncNetwork, ClientTls
from postroad.ports import ConnectFailed, Stream, TlsFailed

TIMEOUT_SECONDS = 15.0
_MAX_LINE_OCTETS = 64 * 1024

T = TypeVar("T")
C = TypeVar("C", bound="_Dialogue")


class ClientFailed(Exception):
    """A server refused something or went away; the message quotes both sides."""


class Said(Struct, frozen=True):
    """One thing that happened in a dialogue: when (seconds since 1970), what, in words."""

    at: float
    what: str
    text: str


class Mailserver(Struct, frozen=True):
    """Where a client goes and how it logs in. `name` is what the certificate must be for."""

    address: str
    port: int
    name: str
    username: str
    password: str
    ca_file: Path
    implicit_tls: bool = False


class _Dialogue:
    """Lines over a stream."""

    def __init__(self, server: Mailserver, stream: Stream) -> None:
        self.server = server
        self.said: list[Said] = []
        self._stream = stream
        self._buffer = bytearray()

    @classmethod
    async def open(cls, server: Mailserver) -> Self:
        """Connect and greet, secure the link, log in. Raises `ClientFailed`."""
        network = AsyncNetwork(ClientTls(server.ca_file))
        where = f"{server.address}:{server.port}"
        try:
            stream = await network.connect(server.address, server.port, timeout=TIMEOUT_SECONDS)
        except ConnectFailed as error:
            raise ClientFailed(f"no connection to {where}: {error.reason}") from error
        dialogue = cls(server, stream)
        dialogue.note("connect", f"{server.name} {where}")
        try:
            if server.implicit_tls:
                await dialogue.secure()
            await dialogue.begin()
        except BaseException:
            stream.close()
            raise
        return dialogue

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                await self.leave()
        finally:
            self._stream.close()

    async def begin(self) -> None:
        """Say all that comes before the mail."""
        raise NotImplementedError

    async def leave(self) -> None:
        """Say QUIT."""
        raise NotImplementedError

    def note(self, what: str, text: str) -> None:
        """Remember something for the journey."""
        self.said.append(Said(time.time(), what, text))

    async def secure(self) -> None:
        """Do the TLS handshake and verify the certificate."""
        try:
            await self._stream.start_tls(TlsPolicy.VERIFY, self.server.name, TIMEOUT_SECONDS)
        except TlsFailed as error:
            raise ClientFailed(f"TLS with {self.server.name}: {error.reason}") from error
        self._buffer.clear()
        self.note("tls", f"{self._stream.tls}, certificate of {self.server.name} verified")

    async def send(self, data: bytes) -> None:
        """Send octets."""
        await self._in_time(self._stream.send(data, TIMEOUT_SECONDS))

    async def line(self) -> bytes:
        """Return the next line without its CRLF."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _MAX_LINE_OCTETS:
                raise ClientFailed(f"{self.server.name} sent a line without end")
            await self.more()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    async def more(self) -> None:
        """Wait for octets."""
        data = await self._in_time(self._stream.receive(TIMEOUT_SECONDS))
        if not data:
            raise ClientFailed(f"{self.server.name} closed the connection")
        self._buffer += data

    async def _in_time(self, waiting: Awaitable[T]) -> T:
        try:
            return await waiting
        except TimeoutError:
            raise ClientFailed(f"{self.server.name} did not answer in time") from None


class SubmissionClient(_Dialogue):
    """Hands messages in (RFC 6409)."""

    async def begin(self) -> None:
        """Greet, STARTTLS, log in with AUTH PLAIN (RFC 4616)."""
        await self._expect(220, "the greeting")
        offers = await self._say("EHLO client.lab", 250)
        if not self.server.implicit_tls:
            if "STARTTLS" not in offers:
                raise ClientFailed(f"{self.server.name} does not offer STARTTLS")
            await self._say("STARTTLS", 220)
            await self.secure()
            await self._say("EHLO client.lab", 250)
        login = f"\0{self.server.username}\0{self.server.password}".encode()
        words = base64.b64encode(login).decode()
        answer = await self._say(f"AUTH PLAIN {words}", 235, shown="AUTH PLAIN ***")
        self.note("auth", f"as {self.server.username}: {answer[0]}")

    async def submit(self, sender: str, recipients: Sequence[str], data: bytes) -> str:
        """Send one message (CRLF line ends); return the server's answer to it."""
        eight_bit = "" if data.isascii() else " BODY=8BITMIME"
        smtputf8 = "" if all(map(str.isascii, (sender, *recipients))) else " SMTPUTF8"
        await self._say(f"MAIL FROM:<{sender}> SIZE={len(data)}{eight_bit}{smtputf8}", 250)
        for recipient in recipients:
            await self._say(f"RCPT TO:<{recipient}>", 250)
        await self._say("DATA", 354)
        self.note("submit", f"from <{sender}> to {', '.join(recipients)}, {len(data)} octets")
        await self.send(stuffed(data) + b".\r\n")
        answer = await self._expect(250, "the message")
        self.note("answer", f"250 {answer[0]}")
        return answer[0]

    async def leave(self) -> None:
        """Say QUIT."""
        await self._say("QUIT", 221)

    async def _say(self, command: str, code: int, *, shown: str = "") -> list[str]:
        await self.send(f"{command}\r\n".encode())
        return await self._expect(code, shown or command)

    async def _expect(self, code: int, what: str) -> list[str]:
        lines = []
        while True:
            line = (await self.line()).decode("utf-8", "replace")
            lines.append(line[4:])
            if line[3:4] != "-":
                break
        if line[:3] != str(code):
            raise ClientFailed(f"{self.server.name} answered {what} with {line}")
        return lines


class Pop3Client(_Dialogue):
    """Reads a mailbox (RFC 1939)."""

    async def begin(self) -> None:
        """Greet, STLS (RFC 2595), USER and PASS."""
        await self._expect("the greeting")
        if not self.server.implicit_tls:
            await self._say("STLS")
            await self.secure()
        await self._say(f"USER {self.server.username}")
        answer = await self._say(f"PASS {self.server.password}", shown="PASS ***")
        self.note("login", f"as {self.server.username}: {answer}")

    async def uids(self) -> list[tuple[int, str]]:
        """Return number and unique id of each message, in order."""
        await self._say("UIDL")
        lines = (await self._body()).decode().split("\r\n")[:-1]
        return [(int(number), uid) for number, _, uid in (line.partition(" ") for line in lines)]

    async def read(self, number: int) -> bytes:
        """Return a message byte for byte."""
        answer = await self._say(f"RETR {number}")
        data = await self._body()
        self.note("read", f"message {number} over POP3: {answer}")
        return data

    async def delete(self, number: int) -> None:
        """Mark a message; it goes when the session ends with QUIT."""
        await self._say(f"DELE {number}")

    async def leave(self) -> None:
        """Say QUIT."""
        await self._say("QUIT")

    async def _say(self, command: str, *, shown: str = "") -> str:
        await self.send(f"{command}\r\n".encode())
        return await self._expect(shown or command)

    async def _expect(self, what: str) -> str:
        line = (await self.line()).decode("utf-8", "replace")
        if not line.startswith("+OK"):
            raise ClientFailed(f"{self.server.name} answered {what} with {line}")
        return line[4:]

    async def _body(self) -> bytes:
        """RFC 1939 §3: a multi-line answer, without its dots."""
        if self._buffer.startswith(b".\r\n"):
            del self._buffer[:3]
            return b""
        searched = 0
        while (end := self._buffer.find(b"\r\n.\r\n", searched)) < 0:
            searched = max(0, len(self._buffer) - 4)
            await self.more()
            if self._buffer.startswith(b".\r\n"):
                del self._buffer[:3]
                return b""
        body = bytes(self._buffer[: end + 2])
        del self._buffer[: end + 5]
        if body.startswith(b"."):
            body = body[1:]
        return body.replace(b"\r\n.", b"\r\n")


def stuffed(data: bytes) -> bytes:
    """Return `data` with dots doubled at the start of lines (RFC 5321 §4.5.2) and CRLF at its end."""
    if data.startswith(b"."):
        data = b"." + data
    data = data.replace(b"\r\n.", b"\r\n..")
    return data if data.endswith(b"\r\n") or not data else data + b"\r\n"


async def with_client(
    kind: type[C], server: Mailserver, use: Callable[[C], Awaitable[T]]
) -> tuple[T, list[Said]]:
    """Open a client, use it, say QUIT; return what came of it and what happened."""
    client = await kind.open(server)
    async with client:
        result = await use(client)
    return result, client.said
