"""A disk that is full, refuses writes, or is locked by another: 4xx, nothing acknowledged is lost, and
all goes on without help once the trouble is over (`../shared/ATTACKS.md`, 26).
"""

import os
import resource
import smtplib
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from peers.tools import PeerUnavailable
from tests.interop.exchange import login, numbered, read_mail, serial
from tests.interop.serving_process import BOB, Serving, command, serving_process

MIB = 2**20
# Beyond storage.inline_max_octets, so the content is a file of its own.
SMALL, LARGE = 20_000, 400_000


@contextmanager
def disk(directory: Path, size_octets: int) -> Iterator[Path]:
    """Mount a small disk of our own."""
    if os.geteuid() != 0:
        raise PeerUnavailable("mounting a small disk needs root")
    directory.mkdir()
    options = f"size={size_octets},mode=0700"
    mounting = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    done = subprocess.run(mounting, capture_output=True, text=True)
    if done.returncode != 0:
        raise PeerUnavailable(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


class Client:
    """Hands in numbered messages one by one, and remembers what was acknowledged."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.server = serving.mailserver("submission")
        self.acknowledged: set[int] = set()
        self.refusals: list[tuple[int, bytes]] = []
        self._next = 0
        self._client: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def send(self, size_octets: int) -> bool:
        """Whether the message was taken; if not, the reply is in `refusals`."""
        self._next += 1
        if self._client is None:
            self._client = login(self.server)
        try:
            self._client.sendmail(BOB, [BOB], numbered(self._next, BOB, BOB, size_octets))
        except smtplib.SMTPResponseException as error:
            said = error.smtp_error
            self.refusals.append(
                (error.smtp_code, said.encode() if isinstance(said, str) else said)
            )
        except smtplib.SMTPRecipientsRefused as error:
            self.refusals.append(error.recipients[BOB])
        except smtplib.SMTPServerDisconnected:
            self._client = None
            self.refusals.append((421, b"disconnected"))
        else:
            self.acknowledged.add(self._next)
            return True
        return False

    def until(self, wanted: bool, size_octets: int, seconds: float = 30) -> None:
        """Send until one is taken, or is not."""
        deadline = time.monotonic() + seconds
        while self.send(size_octets) is not wanted:
            assert time.monotonic() < deadline, self.refusals[-3:]
            if wanted:
                time.sleep(0.1)

    def read(self) -> list[int]:
        """The numbers of the messages in the mailbox; each is whole."""
        numbers = []
        for message in read_mail(self.serving.mailserver("pop3")):
            size = int(message.partition(b"Message-ID: <")[2].partition(b"@")[0].partition(b".")[2])
            assert message.endswith(numbered(serial(message), BOB, BOB, size))
            numbers.append(serial(message))
        return numbers

    def all_there(self, seconds: float = 30) -> None:
        """Wait until the mailbox holds all that was acknowledged, once, and nothing else."""
        deadline = time.monotonic() + seconds
        while not self.acknowledged <= set(numbers := self.read()):
            missing = len(self.acknowledged - set(numbers))
            assert time.monotonic() < deadline, f"{missing} acknowledged messages are missing"
            time.sleep(0.2)
        assert len(numbers) == len(set(numbers)), "none came twice"
        assert set(numbers) == self.acknowledged, "what was refused is not there"


@pytest.mark.parametrize("size_octets", [SMALL, LARGE])
def test_a_full_disk(tmp_path: Path, size_octets: int) -> None:
    with disk(tmp_path / "disk", 24 * MIB) as data_dir:
        ballast = data_dir / "ballast"
        ballast.write_bytes(bytes(12 * MIB))
        with serving_process(tmp_path, data_dir) as serving, Client(serving) as client:
            client.until(False, size_octets)
            assert client.acknowledged, "there was room for some"
            for _ in range(5):
                client.send(size_octets)
            assert {code for code, _ in client.refusals} <= {451, 452}
            assert client.refusals[0] == (452, b"4.3.1 " + client.refusals[0][1][6:])
            # What has its place is still read while the disk is full.
            assert set(client.read()) <= client.acknowledged
            assert serving.process.running
            ballast.unlink()
            client.until(True, size_octets)
            client.all_there()
            assert serving.process.running


def limit_files(pid: int, limits: tuple[int, int]) -> None:
    """Limit the files of a server and of the processes that it started: one of them writes for it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in (pid, *map(int, children)):
        resource.prlimit(each, resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_refuses_every_write(tmp_path: Path) -> None:
    with serving_process(tmp_path, tmp_path / "data") as serving, Client(serving) as client:
        assert client.send(SMALL)
        # Every write to a file fails from now on (EFBIG), as on a disk that became read-only.
        before = resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE)
        limit_files(serving.process.pid, (0, before[1]))
        for size_octets in (SMALL, LARGE, SMALL):
            assert not client.send(size_octets)
        assert {code for code, _ in client.refusals} <= {451, 452}
        assert serving.process.running
        limit_files(serving.process.pid, before)
        client.until(True, SMALL)
        client.until(True, LARGE)
        client.all_there()


def test_a_read_only_disk_at_the_start(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", 24 * MIB) as data_dir:
        with serving_process(tmp_path, data_dir) as serving, Client(serving) as client:
            client.until(True, SMALL)
            config = serving.config
        subprocess.run(["mount", "-o", "remount,ro", str(data_dir)], check=True)
        done = command(config, "serve")
        assert done.returncode == 74, "EX_IOERR: a supervisor tries again"
        assert b"read-only" in done.stderr.lower() or b"readonly" in done.stderr.lower()
        assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("patience", [0.3, 20.0])
def test_a_database_locked_by_another_process(tmp_path: Path, patience: float) -> None:
    storage = {"busy_timeout_seconds": patience}
    data_dir = tmp_path / "data"
    with (
        serving_process(tmp_path, data_dir, storage=storage) as serving,
        Client(serving) as client,
    ):
        assert client.send(SMALL)
        with locked(data_dir) as release:
            if patience < 1:
                assert not client.send(SMALL)
                assert not client.send(LARGE)
                assert {code for code, _ in client.refusals} == {451}
                release()
                client.until(True, SMALL)
            else:
                # It waits, and the client never knows.
                unlocking = threading.Timer(1.0, release)
                began = time.monotonic()
                unlocking.start()
                assert client.send(SMALL)
                assert 0.9 < time.monotonic() - began < 10
                unlocking.join()
        client.all_there()


@contextmanager
def locked(data_dir: Path) -> Iterator[Callable[[], None]]:
    """Hold the database's write lock, as a backup or a careless tool does, until told to let go."""
    (path,) = data_dir.glob("*.db")
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")

    def release() -> None:
        other.execute("ROLLBACK")

    try:
        yield release
    finally:
        other.close()
