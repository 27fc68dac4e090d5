"""A real PostgreSQL for tests: a cluster of Debian's package, of our own, on a free port of loopback."""

import atexit
import itertools
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import psycopg

from peers.tools import free_port

_BIN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
_numbers = itertools.count(1)


class Cluster:
    """A server that runs. `stop` and `start` may be called again and again; `remove` at the end."""

    def __init__(self) -> None:
        if not _BIN:
            raise RuntimeError("Debian's postgresql is missing: tests/interop/debian-packages.txt")
        self._bin = _BIN[-1]
        self.root = Path(tempfile.mkdtemp(prefix="postroad-postgres-"))
        self.port = free_port()
        self.data = self.root / "data"
        # initdb refuses root.
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        if os.getuid() == 0:
            shutil.chown(self.root, "postgres", "postgres")
        else:
            self._as = []
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "postroad", "-E", "UTF8",
                  "--no-locale", "--no-sync")  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -h 127.0.0.1 -k {self.root} -c shared_buffers=32MB -c fsync=off"
        self._run("pg_ctl", "-D", self.data, "-o", options, "-l", self.root / "log", "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """End it; ``immediate`` as if the machine had gone."""
        self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

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

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._as, str(self._bin / program), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=self.root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}; see {self.root}/log")


@cache
def cluster() -> Cluster:
    """Return the one of this test run."""
    made = Cluster()
    atexit.register(made.remove)
    return made


def a_database() -> str:
    """Return the URL of an empty database."""
    return cluster().make()
