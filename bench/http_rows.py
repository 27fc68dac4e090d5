"""Rows of the HTTP API: single messages and batches, durable, against our own intake by SMTP."""

from collections.abc import Sequence
from contextlib import ExitStack

from bench.contest import Contest, Row, Scale, Side
from bench.figures import Goal
from bench.http_client import load, request
from bench.ours import DOMAIN, Postroad
from bench.smtp_rows import KIB, Load, messages_a_second

_CONNECTIONS = 20
_BATCH = 100
_LOAD = Load(_CONNECTIONS, 4 * KIB, 6000, 6000)
_PEER = "our own SMTP intake"


class HttpContest(Contest):
    """Messages a second that are taken by HTTP, `batch` in each request, against SMTP."""

    def __init__(self, name: str, title: str, batch: int, goal: Goal) -> None:
        self.name = name
        self.rows = (Row(name, title, "messages/s", _PEER, goal=goal),)
        self._batch = batch

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, Side]:
        """Start one server that takes both."""
        server = stack.enter_context(Postroad(http=True)).start()
        messages = scale.of(_LOAD.ours, least=_CONNECTIONS * self._batch)
        message = {
            "from": f"user@{DOMAIN}",
            "to": f"user@{DOMAIN}",
            "subject": "A message of the benchmark",
            "text": ("x" * 71 + "\n") * (_LOAD.size // 72),
        }
        path, body = "/api/v1/messages", message
        whole = request(path, server.token, body)
        if self._batch > 1:
            whole = request(f"{path}/batch", server.token, [message] * self._batch)

        def by_http() -> Sequence[float]:
            wanted = server.deposited() + messages
            connections = min(_CONNECTIONS, messages // self._batch)
            seconds = load(
                server.http_port,
                whole,
                connections=connections,
                requests=messages // self._batch,
            )
            server.wait_until_deposited(wanted)
            return [messages / seconds]

        def by_smtp() -> Sequence[float]:
            wanted = server.deposited() + messages
            found = messages_a_second(server.smtp_port, _LOAD, messages, f"user@{DOMAIN}")
            server.wait_until_deposited(wanted)
            return [found]

        return by_http, by_smtp


def contests() -> list[Contest]:
    """Return the contests of this module."""
    return [
        HttpContest("http-single", "by HTTP, 20 connections, 4 KiB", 1, Goal(must=0.4)),
        HttpContest("http-batch", "by HTTP, batches of 100, 4 KiB", _BATCH, Goal(must=0.9)),
    ]
