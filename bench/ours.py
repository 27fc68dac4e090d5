"""Postroad as a peer of its peers: a real `postroad serve` process with a configuration of its own.

It keeps its defaults, durable commits among them, except for the limits that guard against one client
with very many connections (all clients come from 127.0.0.1 here) and passwords in the clear, since
nothing here is encrypted on either side.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw
import psycopg

from bench.pop3_client import Pop3Client
from bench.resident import Resident
from peers.tools import LOOPBACK, PeerFailed, Process, free_port, private_directory
from postroad.model import Address, ApiScope
from postroad.runtime.config import Config, load_config
from postroad.runtime.office import Office
from postroad.trust.dkim import Algorithm

DOMAIN = "bench.test"
PASSWORD = "a password of the benchmark"
POLL_SECONDS = 0.005
_READ_ONLY = apsw.SQLITE_OPEN_READONLY


class Postroad:
    """A server on free loopback ports, from `__enter__` to `__exit__`.

    `users` get an account each; `aliases` lead from a local part to any address; `routes` from a
    domain to an address and port. Without `login` anybody may submit, to addresses here. Mail of our
    users is signed with `keys`; senders of other mail are recognised if there is a `nameserver`.
    With `http` there is the API, and `token` is a key for it. With `webhook` a receiver is told of all,
    at a port where nobody listens. The store is in the PostgreSQL database `url`, if one is named;
    of several servers on one the first makes the users. `prepare` may put mail into the store
    before the server starts.

    Raises `PeerFailed` with the log when it does not start.
    """

    def __init__(
        self,
        *,
        users: Sequence[str] = ("user",),
        aliases: Mapping[str, str] | None = None,
        routes: Mapping[str, tuple[str, int]] | None = None,
        login: bool = True,
        keys: Sequence[Algorithm] = (),
        nameserver: str = "",
        workers: int = 1,
        http: bool = False,
        webhook: bool = False,
        url: str = "",
    ) -> None:
        self.address = LOOPBACK
        self.smtp_port = free_port()
        self.submission_port = free_port()
        self.pop3_port = free_port()
        self.http_port = free_port() if http else 0
        self.token = ""
        self._webhook = webhook
        self._url = url
        self._users = users
        self._login = login
        self._keys = keys
        self._nameserver = nameserver
        self._workers = workers
        self._aliases = dict(aliases or {})
        self._routes = dict(routes or {})
        self._stack = ExitStack()
        self._directory: Path | None = None
        self._process: Process | None = None
        self._inboxes: dict[str, int] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._directory = stack.enter_context(private_directory("bench"))
            self.config_file.write_text(self._toml())
            asyncio.run(self._set_up())
            stack.callback(self.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def directory(self) -> Path:
        """The directory of configuration, log and data."""
        if self._directory is None:
            raise RuntimeError("this Postroad has not been entered by `with`")
        return self._directory

    @property
    def config_file(self) -> Path:
        """The configuration."""
        return self.directory / "postroad.toml"

    @property
    def config(self) -> Config:
        """The configuration, read."""
        return load_config(self.config_file)

    def inbox(self, user: str) -> int:
        """Return the id of a user's INBOX."""
        return self._inboxes[user]

    def start(self) -> Self:
        """Start the server and wait until it takes connections."""
        # The command that an operator starts, of the environment that we run in.
        program = Path(sys.executable).with_name("postroad")
        command: list[str | Path] = [program, "serve", "--config", self.config_file]
        self._process = Process(command, self.directory / "log", grace_seconds=15)
        for port in (self.smtp_port, self.submission_port, self.pop3_port, self.http_port):
            if port:
                self._process.wait_for_port(self.address, port)
        return self

    def wait_until_it_answers(self, seconds: float = 60) -> None:
        """Wait for the API: the port is bound, and takes connections, before the store is open. Raises
        `PeerFailed` with the log.
        """
        if self._process is None:
            raise RuntimeError("this Postroad is not running")
        connection = HTTPConnection(self.address, self.http_port, timeout=seconds)
        try:
            connection.request("GET", "/livez")
            connection.getresponse().read()
        except OSError as error:  # it has died at its start: all that waited are reset
            raise PeerFailed(f"{error}\n{self.log()}") from error
        finally:
            connection.close()

    def stop(self) -> None:
        """Stop the server; the data stays."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    @property
    def resident(self) -> Resident:
        """The memory of the server process."""
        if self._process is None:
            raise RuntimeError("this Postroad is not running")
        return Resident(self._process.pid)

    def deposited(self, user: str = "user") -> int:
        """Return how many messages were ever put into a user's INBOX, by one look-up in the store."""
        if self._url:
            with psycopg.connect(self._url) as connection:
                found: Any = connection.execute(
                    "SELECT uid_next FROM mailbox WHERE id = %s", (self.inbox(user),)
                ).fetchone()
                return int(found[0]) - 1
        database = apsw.Connection(str(self._database), flags=_READ_ONLY)
        try:
            rows = database.execute(
                "SELECT uid_next FROM mailbox WHERE id = ?", (self.inbox(user),)
            )
            return int(str(rows.get)) - 1
        finally:
            database.close()

    def untold(self) -> int:
        """Return how many events wait for receivers of webhooks."""
        database = apsw.Connection(str(self._database), flags=_READ_ONLY)
        try:
            return int(str(database.execute("SELECT count(*) FROM webhook_post").get))
        finally:
            database.close()

    def wait_until_deposited(self, count: int, user: str = "user", seconds: float = 120) -> float:
        """Wait until so many messages were put into an INBOX; return `time.perf_counter()`."""
        deadline = time.monotonic() + seconds
        while self.deposited(user) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{self.deposited(user)} of {count} messages came in {seconds} s"
                )
            time.sleep(POLL_SECONDS)
        return time.perf_counter()

    def count(self, user: str = "user") -> int:
        """Return how many messages POP3 shows."""
        with Pop3Client(self.address, self.pop3_port) as client:
            client.log_in(f"{user}@{DOMAIN}", PASSWORD)
            count, _ = client.stat()
            client.quit()
        return count

    def log(self) -> str:
        """Return what the server has logged."""
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def _database(self) -> Path:
        (path,) = (self.directory / "data").glob("*.db")
        return path

    async def _set_up(self) -> None:
        async with Office.open(self.config) as office:
            if await office.store.directory.domain(DOMAIN) is not None:
                for account in await office.store.directory.accounts():
                    self._inboxes[account.address.local_part] = account.inbox
                return
            await office.domains.add(DOMAIN)
            for user in self._users:
                account, _ = await office.accounts.add(Address(user, DOMAIN), PASSWORD)
                self._inboxes[user] = account.inbox
            if self.http_port:
                self.token = await office.api_keys.add("bench", (ApiScope.SEND, ApiScope.READ))
            if self._webhook:
                await office.webhooks.add("dead", f"https://{LOOPBACK}:{free_port()}/")
            if self._keys:
                await office.keys.add(DOMAIN, self._keys, sign_now=True)
            for name, target in self._aliases.items():
                await office.aliases.add(Address(name, DOMAIN), [Address.parse(target)])

    def _toml(self) -> str:
        routes = "".join(
            f'[routes."{domain}"]\nvia = "{host}:{port}"\n'
            for domain, (host, port) in self._routes.items()
        )
        return _TOML.format(
            data=self.directory / "data",
            login="true" if self._login else "false",
            verify="true" if self._nameserver else "false",
            nameservers=f'["{self._nameserver}"]' if self._nameserver else "[]",
            workers=self._workers,
            root="true" if os.geteuid() == 0 else "false",
            mx=self.smtp_port,
            submission=self.submission_port,
            pop3=self.pop3_port,
            http=f'["{LOOPBACK}:{self.http_port}"]' if self.http_port else "[]",
            routes=routes,
            url=self._url,
        )


_TOML = """
[server]
hostname = "postroad.bench.test"
data_dir = "{data}"
run_as_root = {root}
workers = {workers}

[listen]
mx = ["127.0.0.1:{mx}"]
submission = ["127.0.0.1:{submission}"]
submissions = []
pop3 = ["127.0.0.1:{pop3}"]
pop3s = []
http = {http}
local = ""

[limits]
max_connections = 20000
max_connections_per_client = 20000
max_transactions = 1000000
max_message_octets = "64 MiB"

[http]
requests_per_second = 1000000
requests_at_once = 1000000

[submission]
auth_without_tls = true
auth_required = {login}

[pop3]
auth_without_tls = true

[webhooks]
allow_private = true

[trust]
verify = {verify}

[delivery]
nameservers = {nameservers}

[log]
level = "warning"

[storage]
url = "{url}"

{routes}
"""
