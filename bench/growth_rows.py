"""Rows of growth: what a message costs while a queue, a mailbox or the message itself grows.

Ours alone; each figure is the median of three runs on a fresh server that was filled through its store.
A flat line in `growth.svg` means that the size does not matter.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from bench.contest import Contest, Row, Scale, Side
from bench.figures import Better, Goal
from bench.fill import fill
from bench.ours import DOMAIN, PASSWORD, Postroad
from bench.pop3_client import Pop3Client
from bench.pop3_rows import remember_login
from peers.smtp_tools import SmtpSink, smtp_source
from peers.tools import wait_until
from postroad.model import (
    Accepted,
    Address,
    ContentRef,
    Delivery,
    Envelope,
    Group,
    Message,
    Origin,
    Recipient,
    ServerKind,
    Staged,
)
from postroad.runtime.office import Office

MILLION = 1_000_000
_RECIPIENTS = 100
_DOMAINS = 5_000
_MESSAGES = 2_000
_RETRS = 1_000
_SESSIONS = 20
_STORED_OCTETS = 512  # of each message that a mailbox holds: a million is half a gigabyte
_BODY = b"Subject: waiting\r\n\r\n" + b"x" * 70 + b"\r\n"
_DAY = 86_400.0


class Growth(Contest):
    """On a server of its own."""

    max_runs = 3


class QueueOfAMillion(Contest):
    """A server starts on a million deliveries that are due. One run, without warm-up."""

    name = "queue-million"
    warm_up = False
    max_runs = 1
    rows = (
        Row(
            "queue-million-first",
            "1,000,000 due: from the start of the process to the first delivery",
            "s",
            "",
            Better.LOWER,
            Goal(must=2.0),
        ),
        Row(
            "queue-million-memory",
            "1,000,000 due: resident while they go out",
            "MB",
            "",
            Better.LOWER,
            Goal(must=300.0),
        ),
    )
    seconds = 45.0

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Fill the queue; the sink counts what comes."""
        sink = stack.enter_context(SmtpSink())
        server = Postroad(routes={"*": (sink.address, sink.port)})
        stack.enter_context(server)
        fill_queue(server, scale.of(MILLION), due_in_seconds=-60.0)

        def run() -> Sequence[float]:
            begin = time.monotonic()
            server.start()
            wait_until(lambda: sink.count > 0, 60, "the first delivery")
            first = time.monotonic() - begin
            time.sleep(10.0)
            return first, server.resident.peak() / 1e6

        return run, None


class QueueLength(Growth):
    """Mail comes in for a local mailbox while deliveries wait in the queue."""

    def __init__(self, length: int) -> None:
        self.name = f"growth-queue-{length}"
        title = f"a message to a mailbox while {length:,} deliveries wait"
        self.rows = (Row(self.name, title, "µs", "", Better.LOWER),)
        self.seconds = 5.0 + length / 40_000
        self._length = length

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Fill the queue with what is due tomorrow."""
        server = stack.enter_context(Postroad())
        fill_queue(server, scale.of(self._length), due_in_seconds=_DAY)
        server.start()
        return lambda: (_microseconds_per_message(server, scale),), None


class MailboxSize(Growth):
    """Mail comes into a mailbox, and is read from it, that holds many messages."""

    def __init__(self, size: int) -> None:
        self.name = f"growth-mailbox-{size}"
        self.rows = (
            Row(
                f"growth-mailbox-{size}-deposit",
                f"a message to a mailbox of {size:,}",
                "µs",
                "",
                Better.LOWER,
            ),
            Row(
                f"growth-mailbox-{size}-retr",
                f"RETR from a mailbox of {size:,}",
                "µs",
                "",
                Better.LOWER,
            ),
        )
        self.seconds = 5.0 + size / 20_000
        self._size = size

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Fill a mailbox."""
        server = stack.enter_context(Postroad())
        size = scale.of(self._size, least=10)
        fill(server, {"user": size}, _STORED_OCTETS)
        server.start()

        def run() -> Sequence[float]:
            user = f"user@{DOMAIN}"
            remember_login(server, user)
            deposit = _microseconds_per_message(server, scale)
            with Pop3Client(server.address, server.pop3_port) as client:
                client.log_in(user, PASSWORD)
                client.stat()
                step = max(1, size // _RETRS)
                numbers = [*range(1, size + 1, step)] * max(1, _RETRS // size)
                begin = time.monotonic()
                for number in numbers:
                    client.retrieve(number, number)
                retr = (time.monotonic() - begin) / len(numbers) * 1e6
                client.quit()
            return deposit, retr

        return run, None


class MessageSize(Growth):
    """Messages of one size come in."""

    def __init__(self, octets: int) -> None:
        self.name = f"growth-size-{octets}"
        title = f"a message of {octets / 1024:,.0f} KiB to a mailbox"
        self.rows = (Row(self.name, title, "µs", "", Better.LOWER),)
        self.seconds = 6.0
        self._octets = octets

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Start a server."""
        server = stack.enter_context(Postroad()).start()
        messages = max(_SESSIONS, min(_MESSAGES, 200 * 2**20 // self._octets))
        return lambda: (_microseconds_per_message(server, scale, self._octets, messages),), None


def contests() -> list[Contest]:
    """Return all rows of growth."""
    return [
        QueueOfAMillion(),
        *(QueueLength(10**power) for power in range(3, 7)),
        *(MailboxSize(10**power) for power in (1, 3, 5, 6)),
        *(MessageSize(2**power) for power in (10, 14, 17, 20, 23)),
    ]


def fill_queue(server: Postroad, deliveries: int, *, due_in_seconds: float) -> None:
    """Put that many deliveries, to 5,000 domains, into the queue of a server that is not running."""
    asyncio.run(_fill_queue(server, deliveries, due_in_seconds))


async def _fill_queue(server: Postroad, deliveries: int, due_in_seconds: float) -> None:
    async with Office.open(server.config) as office:
        for some in _in_pieces(range(0, deliveries, _RECIPIENTS), 200):
            groups = []
            for start in some:
                count = min(_RECIPIENTS, deliveries - start)
                now = office.clock.now()
                addresses = [
                    Address("user", f"d{(start + place) % _DOMAINS}.test") for place in range(count)
                ]
                number = office.entropy.id()
                ref = ContentRef(number, len(_BODY))
                message = Message(
                    number,
                    Envelope(None, tuple(map(Recipient, addresses))),
                    ref,
                    Origin(ServerKind.MX),
                    now,
                )
                waiting = tuple(
                    Delivery(number, place, each, each, each.domain, due_at=now + due_in_seconds)
                    for place, each in enumerate(addresses)
                )
                group = Group((Accepted(now, message, waiting),), (Staged(ref, _BODY),))
                groups.append(office.store.ledger.commit(group))
            await asyncio.gather(*groups)


def _in_pieces(numbers: range, count: int) -> Iterator[range]:
    for start in range(0, len(numbers), count):
        yield numbers[start : start + count]


def _microseconds_per_message(
    server: Postroad, scale: Scale, octets: int = 4096, messages: int = _MESSAGES
) -> float:
    messages = scale.of(messages, least=_SESSIONS)
    already = server.deposited()
    sent = smtp_source(
        server.address,
        server.smtp_port,
        sessions=_SESSIONS,
        messages=messages,
        length_bytes=octets,
        recipient=f"user@{DOMAIN}",
    )
    server.wait_until_deposited(already + messages)
    return sent.seconds / messages * 1e6
