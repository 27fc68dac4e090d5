"""Rows of PostgreSQL: the same server with its store there, against SQLite; and two nodes against one.

Database, nodes and client share the processors of this machine.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack

from bench.contest import Contest, Row, Scale, Side
from bench.figures import Goal
from bench.ours import DOMAIN, POLL_SECONDS, Postroad
from peers.postgres import Cluster
from peers.smtp_tools import smtp_source

_MESSAGES = 2000
_PATIENCE_SECONDS = 120


class OnPostgres(Contest):
    """Messages a second to a local mailbox: `ours` nodes on PostgreSQL against as many as `peer`, where
    0 is one server on SQLite.
    """

    def __init__(self, name: str, title: str, ours: int, peer: int, who: str, goal: Goal) -> None:
        self.name = name
        self.rows = (Row(name, title, "messages/s", who, goal=goal),)
        self._ours = ours
        self._peer = peer

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, Side]:
        """Start both."""
        return _side(stack, scale, self._ours), _side(stack, scale, self._peer)


def _side(stack: ExitStack, scale: Scale, nodes: int) -> Side:
    url = ""
    if nodes:
        cluster = Cluster(durable=True)
        stack.callback(cluster.remove)
        url = cluster.make()
    servers = [stack.enter_context(Postroad(url=url)).start() for _ in range(nodes or 1)]
    messages = scale.of(_MESSAGES, least=20)

    def send(server: Postroad) -> None:
        smtp_source(
            server.address,
            server.smtp_port,
            sessions=20,
            messages=messages // len(servers),
            length_bytes=4096,
            recipient=f"user@{DOMAIN}",
        )

    def run() -> Sequence[float]:
        wanted = servers[0].deposited() + messages // len(servers) * len(servers)
        begin = time.perf_counter()
        clients = [threading.Thread(target=send, args=(server,)) for server in servers]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        deadline = begin + _PATIENCE_SECONDS
        while (there := servers[0].deposited()) < wanted:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{wanted - there} of {messages} messages did not arrive")
            time.sleep(POLL_SECONDS)
        return (messages / (time.perf_counter() - begin),)

    return run


def contests() -> list[Contest]:
    """Return the rows about PostgreSQL."""
    return [
        OnPostgres(
            "postgres-20",
            "PostgreSQL: to a local mailbox, 20 connections, 4 KiB",
            1,
            0,
            "SQLite",
            Goal(must=0.6),
        ),
        OnPostgres(
            "postgres-nodes",
            "PostgreSQL: two nodes, 20 connections each",
            2,
            1,
            "one node",
            Goal(must=1.6),
        ),
    ]
