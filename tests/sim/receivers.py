"""Servers of others, with a mind of their own: an independent reading of SMTP, to check ours against.

Each keeps what it took: when, from which message of which system, for whom, and the octets. What it
takes is taken even if the answer never arrives.
"""

import asyncio
import re
from collections.abc import Callable
from random import Random
from typing import cast

from msgspec import Struct

from tests.sim.loop import SimLoop
from tests.sim.sockets import Transport

_PATH = re.compile(rb"<(.*?)>")


class Manners(Struct):
    """How likely each way to misbehave is, for each chance that comes. All zero: it takes everything."""

    busy: float = 0.0  # 421 instead of a greeting
    storm: float = 0.0  # 4xx to MAIL, RCPT, DATA or the final dot
    refuse: float = 0.0  # 5xx to RCPT or the final dot
    greylist: float = 0.0  # the seconds until a recipient is taken
    tarpit: float = 0.0  # seconds before an answer
    lost_answer: float = 0.0  # takes the message and closes without a word
    late_answer: float = 0.0  # takes the message and answers after any client has gone
    drop: float = 0.0  # closes at any command
    bye: float = 0.0  # 421 at any command


def draw_manners(random: Random) -> Manners:
    """Draw how a receiver behaves for a while."""
    if random.random() < 0.3:
        return Manners()
    kind = random.randrange(8)
    return Manners(
        busy=0.5 if kind == 0 else 0.0,
        storm=random.choice([0.1, 0.9]) if kind == 1 else 0.0,
        refuse=0.2 if kind == 2 else 0.0,
        greylist=400.0 if kind == 3 else 0.0,
        tarpit=random.choice([3.0, 100.0]) if kind == 4 else 0.0,
        lost_answer=0.4 if kind == 5 else 0.0,
        late_answer=0.2 if kind == 6 else 0.0,
        drop=0.1 if kind == 7 else 0.0,
        bye=0.1 if kind == 7 else 0.0,
    )


class Took(Struct, frozen=True):
    """A message that was taken."""

    at: float
    host: str
    sender: bytes
    recipients: tuple[bytes, ...]
    data: bytes


class Receiver:
    """One host."""

    def __init__(
        self,
        name: str,
        loop: SimLoop,
        random: Random,
        extensions: tuple[str, ...],
        count: Callable[[str], None],
    ) -> None:
        self.name = name
        self.loop = loop
        self.random = random
        self.extensions = extensions
        self.count = count
        self.manners = Manners()
        self.took: list[Took] = []
        self.seen: dict[tuple[bytes, bytes], float] = {}
        self.on_took: Callable[[Took], None] = lambda took: None

    def listener(self) -> asyncio.Protocol:
        """Return the server's part of a new connection."""
        return _Conversation(self)

    def happens(self, what: str) -> bool:
        """Whether that misbehaviour happens now, as likely as our manners say."""
        chance: float = getattr(self.manners, what)
        if chance > 0 and self.random.random() < chance:
            self.count(f"receiver {what}")
            return True
        return False


class _Conversation(asyncio.Protocol):
    def __init__(self, host: Receiver) -> None:
        self._host = host
        self._buffer = bytearray()
        self._in_data = False
        self._dead = False
        self._waiting = False
        self._sender = b""
        self._has_sender = False
        self._recipients: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(Transport, transport)
        host = self._host
        if host.happens("busy"):
            self._transport.write(b"421 4.3.2 too busy\r\n")
            self._transport.close()
            self._dead = True
        else:
            self._say(f"220 {host.name} ESMTP")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._dead = True

    def _go_on(self) -> None:
        while not self._dead and not self._waiting:
            if self._in_data:
                content = self._content()
                if content is None:
                    return
                self._in_data = False
                self._end(content)
            else:
                end = self._buffer.find(b"\r\n")
                if end < 0:
                    return
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 2]
                self._command(line)

    def _content(self) -> bytes | None:
        """Return the content in front of the final dot, without the dots that were added."""
        buffer = self._buffer
        if buffer.startswith(b".\r\n"):
            del buffer[:3]
            return b""
        end = buffer.find(b"\r\n.\r\n")
        if end < 0:
            return None
        content = bytes(buffer[: end + 2])
        del buffer[: end + 5]
        if content.startswith(b"."):
            content = content[1:]
        return content.replace(b"\r\n.", b"\r\n")

    def _say(self, text: str) -> None:
        host = self._host
        if host.manners.tarpit and host.random.random() < min(host.manners.tarpit / 100, 0.3):
            host.count("receiver tarpit")
            self._waiting = True
            host.loop.call_later(host.manners.tarpit, self._say_late, text)
        else:
            self._transport.write(text.encode() + b"\r\n")

    def _say_late(self, text: str) -> None:
        self._waiting = False
        if not self._dead:
            self._transport.write(text.encode() + b"\r\n")
            self._go_on()

    def _leave(self, word: str = "") -> None:
        self._dead = True
        if word:
            self._transport.write(word.encode() + b"\r\n")
            self._transport.close()
        elif self._host.random.random() < 0.5:
            self._transport.abort()
        else:
            self._transport.close()

    def _command(self, line: bytes) -> None:
        host = self._host
        verb = line[:4].upper()
        if verb not in (b"QUIT", b"EHLO"):
            if host.happens("drop"):
                return self._leave()
            if host.happens("bye"):
                return self._leave("421 4.3.2 shutting down")
        if verb == b"EHLO":
            lines = [host.name, *host.extensions]
            if self._transport.tls_on:
                lines.remove("STARTTLS")
            self._say("\r\n".join([f"250-{text}" for text in lines[:-1]] + [f"250 {lines[-1]}"]))
        elif verb == b"STAR":
            self._transport.write(b"220 go ahead\r\n")
            self._buffer.clear()
            self._waiting = True
            host.loop.create_task(self._secure())
        elif verb == b"MAIL":
            found = _PATH.search(line)
            self._sender = found[1] if found else b""
            self._recipients = []
            self._has_sender = not host.happens("storm")
            self._say("250 2.1.0 ok" if self._has_sender else "451 4.3.0 storm")
        elif verb == b"RCPT":
            self._rcpt(line)
        elif verb == b"DATA":
            if not self._recipients:
                self._say("503 5.5.1 no recipients")
            elif host.happens("storm"):
                self._say("451 4.3.0 storm")
            else:
                self._in_data = True
                self._say("354 go on")
        elif verb == b"RSET":
            self._has_sender = False
            self._recipients = []
            self._say("250 2.0.0 ok")
        elif verb == b"QUIT":
            self._leave("221 2.0.0 bye")
        else:
            self._say("250 2.0.0 ok")
        return None

    async def _secure(self) -> None:
        if await self._transport.shake_hands(True, 60.0):
            self._waiting = False
            self._go_on()
        else:
            self._dead = True
            self._transport.abort()

    def _rcpt(self, line: bytes) -> None:
        host, manners = self._host, self._host.manners
        found = _PATH.search(line)
        recipient = found[1] if found else b""
        if not self._has_sender:
            return self._say("503 5.5.1 no sender")
        if recipient.startswith(b"nobody") or host.happens("refuse"):
            return self._say("550 5.1.1 no such user")
        if host.happens("storm"):
            return self._say("450 4.2.1 storm")
        if manners.greylist:
            now = host.loop.time()
            first = host.seen.setdefault((self._sender, recipient), now)
            if now < first + manners.greylist:
                host.count("receiver greylist")
                return self._say("451 4.7.1 greylisted")
        self._recipients.append(recipient)
        return self._say("250 2.1.5 ok")

    def _end(self, content: bytes) -> None:
        host = self._host
        if host.happens("storm"):
            return self._say("451 4.3.0 storm")
        if host.happens("refuse"):
            return self._say("554 5.6.0 not wanted")
        took = Took(host.loop.time(), host.name, self._sender, tuple(self._recipients), content)
        self._has_sender = False
        self._recipients = []
        host.took.append(took)
        host.on_took(took)
        if host.happens("lost_answer"):
            return self._leave()
        if host.happens("late_answer"):
            self._waiting = True
            host.loop.call_later(700.0, self._say_late, "250 2.0.0 taken, at last")
            return None
        return self._say("250 2.0.0 taken")
