"""Rows of reading mail by JMAP: what a list shows of 1,000 messages, against Dovecot's IMAP; and a
mailbox of 100,000: pages of its list, and searching words that are in every message.
"""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from bench.contest import Contest, Row, Scale, Side
from bench.figures import Better, Goal, percentile
from bench.fill import fill
from bench.jmap_client import ImapClient, JmapClient, JmapFailed
from bench.ours import DOMAIN, PASSWORD, Postroad
from peers.dovecot import Dovecot

_MESSAGES = 1_000
_MAILBOX = 100_000
_SIZE = 1024
_PAGE = 50
_ASKED = 200
# What IMAP's ENVELOPE has (RFC 9051 §7.5.2), as JMAP calls it.
ENVELOPE = [
    "sentAt",
    "subject",
    "from",
    "sender",
    "replyTo",
    "to",
    "cc",
    "bcc",
    "inReplyTo",
    "messageId",
]
LISTED = ["threadId", "mailboxIds", "keywords", "from", "subject", "receivedAt", "preview"]
_NEWEST_FIRST = [{"property": "receivedAt", "isAscending": False}]


class GetContest(Contest):
    """Milliseconds until the envelopes of 1,000 messages are there."""

    name = "jmap-get"
    rows = (
        Row(
            "jmap-get",
            f"envelopes of {_MESSAGES:,} messages, Email/get",
            "ms",
            "Dovecot, IMAP FETCH ENVELOPE",
            Better.LOWER,
            Goal(must=1.0),
        ),
    )

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, Side]:
        """Fill both mailboxes."""
        server = stack.enter_context(Postroad(http=True))
        fill(server, {"user": _MESSAGES}, _SIZE)
        server.start()
        dovecot = stack.enter_context(Dovecot())
        dovecot.fill("user", _MESSAGES, _SIZE)
        user = f"user@{DOMAIN}"
        client = stack.enter_context(JmapClient(server.http_port, user, PASSWORD))
        ids = noticed(client, _MESSAGES)
        imap = ImapClient(dovecot.imap_port, "user", dovecot.password)
        stack.callback(imap.close)

        def ours() -> Sequence[float]:
            (told,) = client.call(("Email/get", {"ids": ids, "properties": ENVELOPE}))
            if len(told["list"]) != _MESSAGES:
                raise JmapFailed(f"{len(told['list'])} emails came")
            return [client.seconds * 1000]

        def theirs() -> Sequence[float]:
            begin = time.perf_counter()
            answer = imap.command(f"FETCH 1:{_MESSAGES} (ENVELOPE)")
            seconds = time.perf_counter() - begin
            if answer.count(b" FETCH (") != _MESSAGES:
                raise JmapFailed("other messages came")
            return [seconds * 1000]

        return ours, theirs


class MailboxContest(Contest):
    """The slowest of a hundred requests, in a mailbox of 100,000."""

    name = "jmap"  # its rows begin with that
    rows = (
        Row(
            "jmap-list",
            f"{_PAGE} of {_MAILBOX:,} listed, p99",
            "ms",
            better=Better.LOWER,
            goal=Goal(must=200),
        ),
        Row(
            "jmap-search",
            f"words in all of {_MAILBOX:,}, p99",
            "ms",
            better=Better.LOWER,
            goal=Goal(must=100),
        ),
    )
    seconds = 240.0
    max_runs = 3
    warm_up = False

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Fill the mailbox, and wait until all of it is noticed."""
        server = stack.enter_context(Postroad(http=True))
        messages = scale.of(_MAILBOX)
        fill(server, {"user": messages}, _SIZE)
        server.start()
        client = stack.enter_context(JmapClient(server.http_port, f"user@{DOMAIN}", PASSWORD))
        noticed(client, messages)
        inbox = client.inbox()
        places = random.Random(7)

        def ours() -> Sequence[float]:
            listed = slowest(
                client,
                lambda: page(inbox, {}, places.randrange(0, messages // 2, _PAGE)),
            )
            searched = slowest(
                client,
                lambda: page(inbox, {"text": places.choice(_WORDS)}, places.randrange(0, 500)),
            )
            return listed, searched

        return ours, None


_WORDS = ("fox", "quick brown", "sender", "message", "the lazy dog", '"0123456789 times"')


def page(inbox: str, where: dict[str, str], position: int) -> list[tuple[str, dict[str, object]]]:
    """Return the calls that show a page of the list."""
    query: dict[str, object] = {
        "filter": {"inMailbox": inbox, **where},
        "sort": _NEWEST_FIRST,
        "position": position,
        "limit": _PAGE,
    }
    ids = {"resultOf": "0", "name": "Email/query", "path": "/ids"}
    return [("Email/query", query), ("Email/get", {"#ids": ids, "properties": LISTED})]


def slowest(client: JmapClient, make: Callable[[], list[tuple[str, dict[str, object]]]]) -> float:
    """Make many requests; return what 99 of 100 take at most, in milliseconds."""
    took = []
    for _ in range(_ASKED):
        _, shown = client.call(*make())
        if len(shown["list"]) != _PAGE:
            raise JmapFailed(f"{len(shown['list'])} emails came")
        took.append(client.seconds * 1000)
    return percentile(took, 0.99)


def noticed(client: JmapClient, messages: int, seconds: float = 600) -> list[str]:
    """Wait until the mailbox was looked at; return the newest ids."""
    end = time.monotonic() + seconds
    while True:
        try:
            (found,) = client.call(("Email/query", {"calculateTotal": True, "limit": _MESSAGES}))
        except JmapFailed as failed:
            if "serverUnavailable" not in str(failed) or time.monotonic() > end:
                raise
            continue
        if found["total"] >= messages:
            ids: list[str] = found["ids"]
            return ids
        if time.monotonic() > end:
            raise TimeoutError(f"{found['total']} of {messages} messages were noticed")
        time.sleep(0.2)


def contests() -> list[Contest]:
    """Return the contests of this module."""
    return [GetContest(), MailboxContest()]
