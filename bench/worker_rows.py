"""Rows of workers: what a second process on the same ports and the same store gains (`server.workers`).

The peer is the same server with one worker; the figures are the measure for the default.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack

from bench.contest import Contest, Row, Scale, Side
from bench.ours import DOMAIN, POLL_SECONDS, Postroad
from peers.smtp_tools import SmtpSink, smtp_source

WORKERS = 2
_MESSAGES = 3000
_PATIENCE_SECONDS = 120


class Workers(Contest):
    """Messages a second to a local mailbox, or relayed, with two workers and with one."""

    def __init__(self, name: str, title: str, connections: int, *, relayed: bool = False) -> None:
        self.name = name
        self.rows = (Row(name, f"{WORKERS} workers: {title}", "messages/s", "one worker"),)
        self._connections = connections
        self._relayed = relayed

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, Side]:
        """Start both."""
        return self._side(stack, scale, WORKERS), self._side(stack, scale, 1)

    def _side(self, stack: ExitStack, scale: Scale, workers: int) -> Side:
        sink = stack.enter_context(SmtpSink())
        server = Postroad(
            aliases={"relay": "user@sink.test"},
            routes={"sink.test": (sink.address, sink.port)},
            workers=workers,
        )
        stack.enter_context(server).start()
        messages = scale.of(_MESSAGES, least=self._connections)

        def done() -> int:
            return sink.count if self._relayed else server.deposited()

        def run() -> Sequence[float]:
            wanted = done() + messages
            begin = time.perf_counter()
            smtp_source(
                server.address,
                server.smtp_port,
                sessions=self._connections,
                messages=messages,
                length_bytes=4096,
                recipient=f"{'relay' if self._relayed else 'user'}@{DOMAIN}",
            )
            deadline = begin + _PATIENCE_SECONDS
            while done() < wanted:
                if time.perf_counter() > deadline:
                    raise TimeoutError(f"{wanted - done()} of {messages} messages did not arrive")
                time.sleep(POLL_SECONDS)
            return (messages / (time.perf_counter() - begin),)

        return run


def contests() -> list[Contest]:
    """Return the rows about workers."""
    return [
        Workers("workers-20", "to a local mailbox, 20 connections, 4 KiB", 20),
        Workers("workers-100", "to a local mailbox, 100 connections, 4 KiB", 100),
        Workers("workers-relay", "relay, 20 connections, 4 KiB", 20, relayed=True),
    ]
