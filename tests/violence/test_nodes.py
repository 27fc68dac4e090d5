"""Three nodes under load on a database with a synchronous replica, and what may happen to them.

A node is killed, another cut from the database, the database ends and comes back, and at last its
machine is lost and the replica takes over. Nothing acknowledged is lost; what is there twice was never
answered.
"""

import json
import os
import select
import signal
import smtplib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from peers.postgres import Cluster
from tests.interop.exchange import login, numbered, read_mail, serial
from tests.interop.serving_process import BOB, Serving, command, serving_process
from tests.interop.test_postgres import node, wait_for

QUEUE = {"poll_seconds": 0.2, "retry_first_seconds": 0.5, "lease_seconds": 5.0}
CLIENTS = 6


class Replica(Cluster):
    """A copy of a primary that follows it; `promote` makes it the primary."""

    def __init__(self, primary: Cluster) -> None:
        self._primary = primary
        super().__init__()

    def make_data(self) -> None:
        self._run("pg_basebackup", "-D", self.data, "-R", "-c", "fast", "-X", "stream", "-d",
                  f"postgresql://postroad@127.0.0.1:{self._primary.port}/postgres")  # fmt: skip

    def promote(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-w", "promote")


class Gate:
    """Stands before a server; shut, it ends what goes through it and lets nothing in."""

    def __init__(self, port: int) -> None:
        self._server = port
        self.open = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.open = False
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        try:
            with client, socket.create_connection(("127.0.0.1", self._server)) as server:
                other = {client: server, server: client}
                while self.open:
                    for ready in select.select(list(other), [], [], 0.1)[0]:
                        if not (data := ready.recv(65_536)):
                            return
                        other[ready].sendall(data)
        except OSError:
            return


class Load:
    """Clients that hand in numbered mail, each message until some node takes it."""

    def __init__(self, count: int, nodes: list[Serving]) -> None:
        self._numbers = iter(range(count))
        self._lock = threading.Lock()
        self.nodes = nodes
        self.taken: set[int] = set()
        self.unanswered: set[int] = set()
        self._threads = [
            threading.Thread(target=self._work, args=(each,), daemon=True)
            for each in range(CLIENTS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
            assert not thread.is_alive(), f"{len(self.taken)} were taken"

    def _work(self, at: int) -> None:
        client: smtplib.SMTP | None = None
        while True:
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                break
            while number not in self.taken:
                sent = False
                try:
                    if client is None:
                        client = login(self.nodes[at % len(self.nodes)].mailserver("submission"))
                    sent = True
                    client.sendmail(BOB, [BOB], numbered(number, BOB, BOB))
                    self.taken.add(number)
                except smtplib.SMTPResponseException as error:
                    if error.smtp_code < 0:
                        self.unanswered.add(number)
                    client, at = None, at + 1
                    time.sleep(0.1)
                except (OSError, smtplib.SMTPException):
                    if sent:
                        self.unanswered.add(number)
                    client, at = None, at + 1
                    time.sleep(0.1)
        if client is not None:
            client.close()


@contextmanager
def databases() -> Iterator[tuple[Cluster, Replica]]:
    """A primary that acknowledges what its replica has."""
    primary = Cluster()
    try:
        replica = Replica(primary)
        try:
            with psycopg.connect(primary.url("postgres"), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                connection.execute("SELECT pg_reload_conf()")
            yield primary, replica
        finally:
            replica.remove()
    finally:
        primary.remove()


def url_of(*ports: int) -> str:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgresql://postroad@{hosts}/postgres?target_session_attrs=read-write"


@pytest.mark.parametrize(
    "count",
    [200, pytest.param(20_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])],
)
def test_whatever_happens_to_nodes_and_databases(tmp_path: Path, count: int) -> None:
    with ExitStack() as stack:
        primary, replica = stack.enter_context(databases())
        gates = [stack.enter_context(closing(Gate(each.port))) for each in (primary, replica)]
        storage = {"url": url_of(primary.port, replica.port), "retry_seconds": 20.0}
        first = stack.enter_context(
            serving_process(
                tmp_path, tmp_path / "data", storage=storage, queue=QUEUE,
                **{'routes."far.test"': {"via": "127.0.0.1:1"}},
            )
        )  # fmt: skip
        gated = {"url": url_of(*(each.port for each in gates)), "retry_seconds": 20.0}
        second = stack.enter_context(node(first, tmp_path / "b", "127.0.0.1:1", storage=gated))
        third = stack.enter_context(node(first, tmp_path / "c", "127.0.0.1:1"))
        load = Load(count, [first, second, third])
        load.start()

        def taken(share: float) -> Callable[[], bool]:
            return lambda: len(load.taken) >= count * share

        wait_for(taken(0.15), 600)
        os.killpg(third.process.pid, signal.SIGKILL)
        wait_for(taken(0.3), 600)
        for gate in gates:
            gate.open = False
        wait_for(taken(0.45), 600)
        for gate in gates:
            gate.open = True
        wait_for(taken(0.6), 600)
        primary.stop("immediate")
        primary.start()
        wait_for(taken(0.8), 600)
        primary.stop("immediate")
        replica.promote()
        with psycopg.connect(replica.url("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            connection.execute("SELECT pg_reload_conf()")
        load.wait(60 + count / 20)
        wait_for(lambda: nothing_waits(first), 60)
        assert_all_is_there(first, load, replica)


def nothing_waits(serving: Serving) -> bool:
    done = command(serving.config, "queue", "list", "--json")
    return done.returncode == 0 and not json.loads(done.stdout)["deliveries"]


def assert_all_is_there(serving: Serving, load: Load, server: Cluster) -> None:
    there = Counter(map(serial, read_mail(serving.mailserver("pop3"))))
    assert load.taken - there.keys() == set(), "acknowledged, and lost"
    twice = {number for number, times in there.items() if times > 1}
    assert twice <= load.unanswered, "twice, though answered"
    report = json.loads(command(serving.config, "verify-data", "--json").stdout)
    assert report["sound"], report["problems"]
    assert report["checked"]["entries"] == there.total()
    assert report["checked"]["messages"] == there.total()
    with psycopg.connect(server.url("postgres")) as connection:
        untold = connection.execute(
            "SELECT count(*) FROM message WHERE NOT EXISTS (SELECT 1 FROM journey"
            " WHERE message = message.id AND changes LIKE '%deposited%')"
        ).fetchone()
    assert untold == (0,), "each message's journey tells of its deposit"
