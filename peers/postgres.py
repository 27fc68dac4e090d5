"""A real PostgreSQL for tests: a cluster of Debian's package, of our own, on a free port of loopback.

Its server dies with the process that started it, however that ends; the files that a killed process
leaves are removed by the next one that makes a cluster.
"""

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from peers.tools import MissingTool, free_port, wait_until

_BIN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
_FILES = "postroad-postgres-"
_numbers = itertools.count(1)


class Cluster:
    """A server that runs. `stop` and `start` may be called again and again; `remove` at the end.

    `durable`: with fsync, for those who measure. Raises `MissingTool`.
    """

    def __init__(self, *, durable: bool = False) -> None:
        if not _BIN:
            raise MissingTool("postgresql (tests/interop/debian-packages.txt)")
        self._fsync = "on" if durable else "off"
        self._bin = _BIN[-1]
        _remove_what_the_dead_left()
        self.root = Path(tempfile.mkdtemp(prefix=f"{_FILES}{os.getpid()}-"))
        self._server: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.data = self.root / "data"
        # initdb refuses root.
        self._as: list[str] = []
        if os.getuid() == 0:
            shutil.chown(self.root, "postgres", "postgres")
            self._as = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self.make_data()
        self.start()

    def make_data(self) -> None:
        """Make the files of an empty server."""
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "postroad", "-E", "UTF8",
                  "--no-locale", "--no-sync")  # fmt: skip

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -h 127.0.0.1 -k {self.root}"
        options += f" -c shared_buffers=32MB -c fsync={self._fsync}"
        with (self.root / "log").open("ab") as log:
            # Its parent's death is an immediate shutdown for it: that is what SIGQUIT asks for.
            self._server = subprocess.Popen(
                [*self._command("postgres", "--pdeathsig", "QUIT"), "-D", self.data, *options.split()],
                cwd=self.root, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        wait_until(self._answers, 60, f"PostgreSQL; see {self.root}/log")

    def stop(self, mode: str = "immediate") -> None:
        """End it; ``immediate`` as if the machine had gone."""
        if self._server is not None:
            self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")
            self._server.wait(60)
            self._server = None

    def _answers(self) -> bool:
        assert self._server is not None
        if self._server.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended; see {self.root}/log")
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def remove(self) -> None:
        """End it and remove its files."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    def url(self, database: str) -> str:
        """Return how to reach a database."""
        return f"postgresql://postroad@127.0.0.1:{self.port}/{database}"

    def make(self) -> str:
        """Make an empty place in a database, which is sooner done than a database; return its URL."""
        name = f"test_{next(_numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
            connection.execute(
                f"CREATE ROLE {name} LOGIN SUPERUSER"
            )  # a role's path is no session state
            connection.execute(f"ALTER ROLE {name} SET search_path = {name}")
        return f"postgresql://{name}@127.0.0.1:{self.port}/postgres"

    def make_database(self, address: str) -> str:
        """Make a whole database and return how to reach it at another address than ours."""
        name = f"whole_{next(_numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://postroad@{address}/{name}"

    def _command(self, program: str, *options: str) -> list[str]:
        prefix = ["setpriv", *self._as, *options] if self._as or options else []
        return [*prefix, str(self._bin / program)]

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._command(program), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=self.root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}; see {self.root}/log")


def _remove_what_the_dead_left() -> None:
    """Remove clusters of processes that have ended: theirs was killed, or they would be gone."""
    for root in Path(tempfile.gettempdir()).glob(f"{_FILES}*-*"):
        owner = root.name.removeprefix(_FILES).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(root, ignore_errors=True)
