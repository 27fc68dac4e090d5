"""Commits on PostgreSQL when connections are lost and transactions given up: resolved, not guessed."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from postroad.model import Group
from postroad.storage.postgres import PostgresStore
from postroad.storage.postgres.dialect import DIFFERENCES, schema
from tests.contracts.stores import BOB, accept, stage
from tests.postgres import a_database, cluster


class Proxy:
    """Stands before the server. Of the next `lose` commits it passes on the question, not the answer."""

    def __init__(self, port: int) -> None:
        self._server = port
        self.lose = 0
        self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server))
            threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answer, args=(client, server), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            try:
                while data := client.recv(65_536):
                    if self.lose and b"COMMIT" in data:
                        self.lose -= 1
                        self.lost += 1
                        client.shutdown(socket.SHUT_RDWR)
                        server.sendall(data)
                        return
                    server.sendall(data)
            except OSError:
                return

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := server.recv(65_536):
                client.sendall(data)
        except OSError:
            return


@contextmanager
def proxy() -> Iterator[Proxy]:
    with closing(Proxy(cluster().port)) as made:
        yield made


async def test_an_answer_that_was_lost_is_looked_up(tmp_path: Path) -> None:
    url = a_database()
    with proxy() as between:
        store = await PostgresStore.open(
            url.replace(str(cluster().port), str(between.port)), tmp_path
        )
        try:
            for _ in range(3):
                between.lose = 2
                message = await accept(store, BOB)  # once more would be refused: it is there
                assert [each.message for each in await store.queue.deliveries(message.id)]
            assert between.lost >= 3
            with psycopg.connect(url) as connection:
                row = connection.execute(
                    "SELECT count(*), count(DISTINCT id) FROM message"
                ).fetchone()
            assert row == (3, 3)
        finally:
            await store.close()


async def test_connections_that_the_server_ended_are_made_anew(tmp_path: Path) -> None:
    url = a_database()
    store = await PostgresStore.open(url, tmp_path)
    try:
        first = await accept(store, BOB)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = current_user AND pid <> pg_backend_pid()"
            )
        second = await accept(store, BOB)
        assert await store.queue.message(first.id) is not None
        assert await store.queue.message(second.id) is not None
    finally:
        await store.close()


async def test_what_the_server_gave_up_begins_anew(tmp_path: Path) -> None:
    url = a_database()
    store = await PostgresStore.open(url, tmp_path)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE SEQUENCE tries")
            connection.execute(
                "CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " IF nextval('tries') < 4 THEN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END IF;"
                " RETURN NEW; END $$"
            )
            connection.execute(
                "CREATE TRIGGER t BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION give_up()"
            )
        message = await accept(store, BOB)
        assert len(await store.journey.events(message.id)) == 1
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT last_value FROM tries").fetchone()
        assert row == (4,)
    finally:
        await store.close()


async def test_nodes_never_lease_the_same(tmp_path: Path) -> None:
    url = a_database()
    nodes = [await PostgresStore.open(url, tmp_path / str(number)) for number in range(3)]
    try:
        assert len({each.node for each in nodes}) == 3
        assert len({each.secret for each in nodes}) == 1
        messages = [await accept(nodes[0], BOB) for _ in range(40)]
        taken = await asyncio.gather(
            *(
                node.queue.lease(now=200.0, until=300.0, node=node.node, limit=4)
                for node in nodes * 5
            )
        )
        leased = [job.message.id for jobs in taken for job in jobs]
        assert sorted(leased) == sorted(message.id for message in messages)
    finally:
        for node in nodes:
            await node.close()


async def test_the_journey_of_many_nodes_has_one_order(tmp_path: Path) -> None:
    url = a_database()
    nodes = [await PostgresStore.open(url, tmp_path / str(number)) for number in range(2)]
    try:
        await asyncio.gather(*(accept(node, BOB) for node in nodes * 25))
        events = await nodes[0].journey.after(0)
        assert [event.sequence for event in events] == list(range(1, 51))
    finally:
        for node in nodes:
            await node.close()


async def test_text_that_postgres_cannot_hold_is_refused_alone(tmp_path: Path) -> None:
    store = await PostgresStore.open(a_database(), tmp_path)
    try:
        good = accept(store, BOB)
        staged = await stage(store, b"Subject: x\r\n\r\nHello\r\n")
        results = await asyncio.gather(
            good,
            accept(store, BOB, message_id="<\ud800@x>"),
            store.ledger.commit(Group((), (staged,))),
            return_exceptions=True,
        )
        assert [isinstance(each, Exception) for each in results] == [False, True, False]
    finally:
        await store.close()


def test_every_statement_that_differs_is_one_of_sqlites_or_our_own() -> None:
    assert "waiting_walk" in DIFFERENCES
    assert "FOR UPDATE SKIP LOCKED" in DIFFERENCES["waiting_walk"]
    made = " ".join(schema())
    assert "fts5" not in made
    assert "PARTITION BY RANGE" in made
