"""Clients that submit and read, and note what they were told: the other half of every promise."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

from msgspec import Struct

from postroad.model import TlsPolicy
from postroad.ports import ConnectFailed, TlsFailed
from tests.sim.network import HostNetwork
from tests.sim.sockets import Stream

PATIENCE_SECONDS = 900.0
_GREED = 12  # times that each message is asked for
_QUEUED = re.compile(rb"queued as (\w{13})")


class Recipient(Struct, frozen=True):
    """One RCPT that a client says."""

    address: str
    parameters: str = ""


class Letter(Struct):
    """A message that a client tries to send once, and what came of it.

    `answer` is the reply to its end, ``b""`` where none came; `ended` tells that the end was sent.
    """

    number: int
    system: str
    sender: str
    recipients: tuple[Recipient, ...]
    data: bytes
    parameters: str = ""
    accepted: tuple[str, ...] = ()
    ended: bool = False
    answer: bytes = b""
    answered_at: float = 0.0
    queue_id: str = ""


class Gone(Exception):
    """The server is no longer there."""


class Talk:
    """Lines over a stream."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._buffer = bytearray()

    async def line(self) -> bytes:
        """Return the next line, without its end. Raises `Gone`."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            await self._more()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    async def reply(self) -> bytes:
        """Return the last line of an SMTP reply."""
        while (line := await self.line())[3:4] == b"-":
            pass
        return line

    async def lines(self) -> bytes:
        """Return what POP3 sends up to the final dot, as it was before dots were added."""
        while not self._buffer.startswith(b".\r\n") and self._buffer.find(b"\r\n.\r\n") < 0:
            await self._more()
        if self._buffer.startswith(b".\r\n"):
            del self._buffer[:3]
            return b""
        end = self._buffer.find(b"\r\n.\r\n")
        data = bytes(self._buffer[: end + 2])
        del self._buffer[: end + 5]
        return (data[1:] if data.startswith(b".") else data).replace(b"\r\n.", b"\r\n")

    async def say(self, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode() + b"\r\n"
        await self.stream.send(data, PATIENCE_SECONDS)

    async def ask(self, text: str) -> bytes:
        await self.say(text)
        return await self.reply()

    async def _more(self) -> None:
        data = await self.stream.receive(PATIENCE_SECONDS)
        if not data:
            raise Gone
        self._buffer += data


@asynccontextmanager
async def talking(network: HostNetwork, address: str, port: int) -> AsyncIterator[Talk]:
    """Connect; whatever happens to the connection just ends the block."""
    try:
        stream = await network.connect(address, port, timeout=30.0)
    except ConnectFailed:
        yield _Nowhere()
        return
    try:
        yield Talk(stream)
    except (Gone, TimeoutError, TlsFailed):
        pass
    finally:
        stream.close()


class _Nowhere(Talk):
    """A connection that never was."""

    def __init__(self) -> None:
        pass

    async def line(self) -> bytes:
        raise Gone


async def submit(
    network: HostNetwork,
    address: str,
    port: int,
    letters: list[Letter],
    *,
    login: tuple[str, str] | None,
    random: Random,
    now: Callable[[], float],
) -> None:
    """Send letters over one connection; what is not sent when it breaks stays unsent."""
    try:
        async with talking(network, address, port) as talk:
            await talk.reply()
            if not (await talk.ask("EHLO client.example")).startswith(b"250"):
                return
            if random.random() < 0.2 and (await talk.ask("STARTTLS")).startswith(b"220"):
                await talk.stream.start_tls(TlsPolicy.OPPORTUNISTIC, "", 60.0)
                await talk.ask("EHLO client.example")
            if login is not None:
                token = base64.b64encode(f"\0{login[0]}\0{login[1]}".encode()).decode()
                if not (await talk.ask(f"AUTH PLAIN {token}")).startswith(b"235"):
                    return
            for letter in letters:
                await _send(talk, letter, random, now)
                if random.random() < 0.1:
                    await asyncio.sleep(random.random() * 100)
            await talk.ask("QUIT")
    except Gone:
        pass


async def _send(talk: Talk, letter: Letter, random: Random, now: Callable[[], float]) -> None:
    manner = random.random()
    mail = f"MAIL FROM:<{letter.sender}>{letter.parameters}"
    rcpts = [f"RCPT TO:<{each.address}>{each.parameters}" for each in letter.recipients]
    accepted = []
    if manner < 0.5:  # pipelined
        await talk.say("\r\n".join([mail, *rcpts, "DATA"]))
        await talk.reply()
        answers = [await talk.reply() for _ in rcpts]
        for each, answer in zip(letter.recipients, answers, strict=True):
            if answer.startswith(b"250"):
                accepted.append(each.address)
        letter.accepted = tuple(accepted)
        if not (await talk.reply()).startswith(b"354"):
            return
    else:
        if not (await talk.ask(mail)).startswith(b"250"):
            return
        for each, rcpt in zip(letter.recipients, rcpts, strict=True):
            if (await talk.ask(rcpt)).startswith(b"250"):
                accepted.append(each.address)
        letter.accepted = tuple(accepted)
        if not accepted:
            await talk.ask("RSET")
            return
        if manner > 0.9:
            letter.ended = True
            size = len(letter.data)
            await talk.say(b"BDAT %d LAST\r\n" % size + letter.data)
            await _answered(talk, letter, now)
            return
        if not (await talk.ask("DATA")).startswith(b"354"):
            return
    wire = letter.data.replace(b"\r\n.", b"\r\n..")
    letter.ended = True
    await talk.say((b"." if wire.startswith(b".") else b"") + wire + b".\r\n")
    await _answered(talk, letter, now)


async def _answered(talk: Talk, letter: Letter, now: Callable[[], float]) -> None:
    letter.answer = await talk.reply()
    letter.answered_at = now()
    found = _QUEUED.search(letter.answer)
    if found:
        letter.queue_id = found[1].decode()


class Reading(Struct):
    """What one POP3 session read and deleted. `removed`: QUIT was said after DELE; `sure`: and +OK."""

    account: str
    messages: dict[int, bytes]
    deleted: tuple[int, ...] = ()
    asked: bool = False
    sure: bool = False


async def read_mail(
    network: HostNetwork, address: str, account: str, password: str, delete: float, random: Random
) -> Reading | None:
    """Read a mailbox, delete some of it; None where nobody let us in."""
    reading: Reading | None = None
    try:
        async with talking(network, address, 110) as talk:
            await talk.line()
            if random.random() < 0.9:
                if not (await talk_line(talk, "STLS")).startswith(b"+OK"):
                    return None
                await talk.stream.start_tls(TlsPolicy.OPPORTUNISTIC, "", 60.0)
            await talk_line(talk, f"USER {account}")
            if not (await talk_line(talk, f"PASS {password}")).startswith(b"+OK"):
                return None
            reading = Reading(account, {})
            if not (await talk_line(talk, "UIDL")).startswith(b"+OK"):
                return reading
            uids = _uids(await talk.lines())
            numbers = list(uids)
            # A greedy one asks for more than fits between us, long before it has read any of it.
            asked = numbers * (_GREED if account.startswith("u1") else 1)
            await talk.say(b"".join(b"RETR %d\r\n" % number for number in asked))
            for number in asked:
                if (await talk.line()).startswith(b"+OK"):
                    reading.messages[uids[number]] = await talk.lines()
            gone = []
            for number in numbers:
                if random.random() < delete and uids[number] in reading.messages:
                    await talk_line(talk, f"DELE {number}")
                    gone.append(uids[number])
            reading.deleted = tuple(gone)
            if random.random() < 0.8:
                reading.asked = True
                reading.sure = (await talk_line(talk, "QUIT")).startswith(b"+OK")
    except Gone:
        pass
    return reading


async def talk_line(talk: Talk, text: str) -> bytes:
    """Ask and return one line (POP3)."""
    await talk.say(text)
    return await talk.line()


def _uids(listing: bytes) -> dict[int, int]:
    found = {}
    for line in listing.split(b"\r\n"):
        if line:
            number, _, uid = line.partition(b" ")
            found[int(number)] = int(uid.rpartition(b"-")[2].rpartition(b".")[2], 10)
    return found
