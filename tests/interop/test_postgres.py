"""``postroad serve`` on a real PostgreSQL: the whole road, two nodes on one database, and PgBouncer."""

import json
import os
import pwd
import signal
import socket
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from peers.postgres import Cluster
from peers.tools import Process, free_port
from postroad.storage.postgres import PostgresStore
from tests.contracts.stores import ANN, FAR, INBOX, accept, people
from tests.interop.exchange import hand_in, login, numbered, read_mail, serial
from tests.interop.serving_process import (
    BOB,
    POSTROAD,
    Serving,
    command,
    serving_process,
    write_config,
)
from tests.postgres import a_database, cluster

QUEUE = {"poll_seconds": 0.2, "retry_first_seconds": 0.5, "lease_seconds": 4.0}
FAR_AWAY = "zoe@far.test"


class _Sink:
    """Takes all mail and keeps it."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.original_content, bytes)
        self.messages.append(envelope.original_content)
        return "250 2.0.0 Ok"


@contextmanager
def node(
    like: Serving, directory: Path, via: str, **sections: dict[str, object]
) -> Iterator[Serving]:
    """Run another server on the same database, with a data directory and ports of its own."""
    values = tomllib.loads(like.config.read_text())
    ports = {name: free_port() for name in like.ports}
    listen = {name: [f"127.0.0.1:{port}"] for name, port in ports.items()}
    routes = values.pop("routes")
    assert routes, "the first node has one"
    values["listen"] = {**listen, "local": str(directory / "submit.sock")}
    values["server"]["data_dir"] = str(directory / "data")
    values['routes."far.test"'] = {"via": via}
    values.update(sections)
    directory.mkdir()
    config = directory / "postroad.toml"
    write_config(config, values)
    with Process([*POSTROAD, "serve", "--config", str(config)], directory / "log") as process:
        process.wait_for_port("127.0.0.1", ports["mx"])
        yield Serving(
            config, directory / "data", like.ca_file, ports, process, directory / "submit.sock"
        )


def wait_for(happened: Callable[[], bool], seconds: float = 40) -> None:
    ends_at = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.1)


def queued(serving: Serving) -> int:
    """How many deliveries wait, as an operator is told."""
    done = command(serving.config, "queue", "list", "--json")
    assert done.returncode == 0, done.stderr.decode()
    return len(json.loads(done.stdout)["deliveries"])


async def test_the_whole_road(tmp_path: Path) -> None:
    database = {"url": a_database()}
    with serving_process(tmp_path, tmp_path / "data", storage=database, queue=QUEUE) as serving:
        messages = [numbered(number, BOB, BOB) for number in range(20)]
        await hand_in(
            lambda: login(serving.mailserver("submission")), BOB, [BOB], messages, connections=4
        )
        wait_for(lambda: not queued(serving))
        read = read_mail(serving.mailserver("pop3"))
        assert sorted(map(serial, read)) == list(range(20))
        assert {message[-200:] for message in read} == {message[-200:] for message in messages}
        journey = command(serving.config, "journey", "--message-id", "7.0@numbered.test")
        assert journey.returncode == 0, journey.stderr.decode()
        assert b"accepted" in journey.stdout
        assert not (serving.data_dir / "postroad.db").exists()


async def test_another_node_delivers_what_a_killed_one_had(tmp_path: Path) -> None:
    database = {"url": a_database()}
    sink = _Sink()
    controller = Controller(sink, "127.0.0.1", free_port())
    deaf = socket.create_server(("127.0.0.1", 0))  # connects, and never says a word
    controller.start()
    try:
        with serving_process(
            tmp_path,
            tmp_path / "data",
            storage=database,
            queue=QUEUE,
            **{'routes."far.test"': {"via": f"127.0.0.1:{deaf.getsockname()[1]}"}},
        ) as first:
            messages = [numbered(number, BOB, FAR_AWAY) for number in range(10)]
            await hand_in(lambda: login(first.mailserver("submission")), BOB, [FAR_AWAY], messages)
            wait_for(lambda: queued(first) == 10)
            with node(first, tmp_path / "second", f"127.0.0.1:{controller.port}") as second:
                both = [numbered(number, BOB, BOB) for number in range(100, 110)]
                await hand_in(lambda: login(second.mailserver("submission")), BOB, [BOB], both)
                os.killpg(first.process.pid, signal.SIGKILL)
                wait_for(lambda: not queued(second))
                read = read_mail(second.mailserver("pop3"))
                assert sorted(map(serial, read)) == list(range(100, 110))
                assert sorted(map(serial, sink.messages)) == list(range(10))
    finally:
        controller.stop()
        deaf.close()


@contextmanager
def bouncer(server: Cluster, directory: Path) -> Iterator[str]:
    """Run PgBouncer in transaction mode before the cluster; yields its address."""
    port = free_port()
    config = directory / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port} user=postroad\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n"
        f"logfile = {directory}/bouncer.log\n"
    )
    run: list[str | Path] = ["/usr/sbin/pgbouncer", config]
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        for path in (directory, config):
            os.chown(path, user.pw_uid, user.pw_gid)
        run = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *run]
    with Process(run, server.root / "bouncer.out") as process:
        process.wait_for_port("127.0.0.1", port)
        yield f"127.0.0.1:{port}"


async def test_no_session_state_so_pgbouncer_may_stand_between(tmp_path: Path) -> None:
    server = cluster()
    directory = server.root / f"bouncer-{os.getpid()}"
    directory.mkdir()
    with bouncer(server, directory) as address:
        # A role's path is a setting of the session's start: here it is a database of its own.
        database = server.make_database(address)
        stores = [await PostgresStore.open(database, tmp_path / each) for each in ("a", "b")]
        try:
            await people(stores[0])
            message = await accept(stores[1], ANN, FAR)
            leased = await stores[0].queue.lease(now=200.0, until=300.0, node="n", limit=5)
            assert [job.message.id for job in leased] == [message.id] * 2
            assert not await stores[1].queue.lease(now=200.0, until=300.0, node="m", limit=5)
            listing = await stores[1].mailboxes.listing(INBOX)
            assert listing is not None
        finally:
            for store in stores:
                await store.close()


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    config = tmp_path / "postroad.toml"
    write_config(
        config,
        {
            "server": {"hostname": "mx.us.test", "data_dir": str(tmp_path / "data")},
            "storage": {"url": f"postgresql://postroad@127.0.0.1:{free_port()}/none"},
        },
    )
    done = command(config, "domain", "list")
    assert done.returncode != 0
    assert b"Check that PostgreSQL runs" in done.stderr


@pytest.mark.parametrize("url", ["mysql://host/name", "postgres:host"])
def test_an_url_of_something_else_is_refused(tmp_path: Path, url: str) -> None:
    config = tmp_path / "postroad.toml"
    write_config(config, {"server": {"hostname": "mx.us.test"}, "storage": {"url": url}})
    done = command(config, "config", "check")
    assert done.returncode != 0
    assert b"must begin with postgresql://" in done.stdout + done.stderr
