"""A row of the HTTP API: how long it takes to find the messages of a recipient among a million.

Ours alone. The server was filled through its store; every hundredth message went to one address, which
every tenth question is about.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from http.client import HTTPConnection

from bench.contest import Contest, Row, Scale, Side
from bench.figures import Better, Goal, percentile
from bench.ours import DOMAIN, Postroad
from peers.tools import LOOPBACK
from postroad.model import (
    Accepted,
    Address,
    ContentRef,
    Delivery,
    Envelope,
    Group,
    Label,
    Message,
    Origin,
    Recipient,
    ServerKind,
    Staged,
)
from postroad.runtime.office import Office

MILLION = 1_000_000
QUESTIONS = 2_000
_AT_ONCE = 2_000
_OFTEN = 100
_PEOPLE = 50_000
_DAY = 86_400.0
_BODY = b"Subject: Your order\r\n\r\nThanks!\r\n"


def recipient(number: int) -> Address:
    """Return whom a message went to."""
    if number % _OFTEN == 0:
        return Address("often", "there.test")
    return Address(f"r{number % _PEOPLE}", "there.test")


class SearchByRecipient(Contest):
    """Questions one after the other, by one connection."""

    name = "search-recipient"
    warm_up = False
    max_runs = 3
    rows = (
        Row(
            "search-recipient-p99",
            "a recipient's messages among 1,000,000, by HTTP, p99",
            "ms",
            "",
            Better.LOWER,
            Goal(must=50.0),
        ),
    )
    seconds = 240.0

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Fill the store."""
        server = stack.enter_context(Postroad(http=True))
        messages = scale.of(MILLION)
        fill_messages(server, messages)
        server.start()
        return lambda: (percentile(asked(server, messages, scale.of(QUESTIONS)), 0.99),), None


def fill_messages(server: Postroad, count: int) -> None:
    """Put that many labelled messages, with a recipient each, into a server that is not running."""
    asyncio.run(_fill(server, count))


async def _fill(server: Postroad, count: int) -> None:
    origin = Origin(ServerKind.API)
    sender = Address("user", DOMAIN)
    async with Office.open(server.config) as office:
        for start in range(0, count, _AT_ONCE):
            changes, contents = [], []
            for place in range(start, min(start + _AT_ONCE, count)):
                now, number, to = office.clock.now(), office.entropy.id(), recipient(place)
                ref = ContentRef(number, len(_BODY))
                label = Label(1, f"Order {place}", ("order",), (("customer", str(place)),))
                envelope = Envelope(sender, (Recipient(to),))
                message = Message(number, envelope, ref, origin, now, label=label)
                waiting = (Delivery(number, 0, to, to, to.domain, due_at=now + _DAY),)
                changes.append(Accepted(now, message, waiting))
                contents.append(Staged(ref, _BODY))
            await office.store.ledger.commit(Group(tuple(changes), tuple(contents)))


def asked(server: Postroad, messages: int, questions: int) -> Sequence[float]:
    """Return the milliseconds that each question took. Raises AssertionError where one found nothing."""
    connection = HTTPConnection(LOOPBACK, server.http_port, timeout=30)
    headers = {"Authorization": f"Bearer {server.token}"}
    took = []
    server.wait_until_it_answers()
    try:
        for place in range(questions):
            number = 0 if place % 10 == 0 else place * 7919 % messages
            to = str(recipient(number)).replace("@", "%40")
            begin = time.perf_counter()
            connection.request("GET", f"/api/v1/messages?recipient={to}&limit=50", headers=headers)
            response = connection.getresponse()
            body = response.read()
            took.append((time.perf_counter() - begin) * 1000)
            assert response.status == 200, body
            assert b'"recipient":' in body, "it was not found"
    finally:
        connection.close()
    return took


def contests() -> list[Contest]:
    """Return the row about searching."""
    return [SearchByRecipient()]
