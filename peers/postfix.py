"""A whole Postfix instance of one's own: its own queue, configuration, log and address.

It is run by its master(8) in the foreground, with every file below one temporary directory, and
shares nothing with a Postfix that the machine may have. It needs root, because Postfix changes
to users of its own. Mail is durable as in any Postfix: fsync before the reply.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from peers.postfix_config import (
    CATCH_ALL,
    ByDns,
    Discard,
    Maildirs,
    Nowhere,
    Outbound,
    Relay,
    Routes,
    directories,
    mailboxes,
    main_cf,
    master_cf,
    routes,
)
from peers.tools import (
    LOOPBACK,
    PeerUnavailable,
    Process,
    choose_port,
    find,
    private_directory,
    run,
    wait_until,
)

__all__ = [
    "ByDns",
    "Discard",
    "Maildirs",
    "Nowhere",
    "Postfix",
    "QueuedMessage",
    "QueuedRecipient",
    "Relay",
    "Routes",
]

# In the order in which a file moves, so that a walk cannot miss one that moves meanwhile.
_QUEUES = ("maildrop", "incoming", "active", "deferred")


@dataclass(frozen=True)
class QueuedRecipient:
    """A recipient that still waits, and why if Postfix has tried."""

    address: str
    delay_reason: str | None


@dataclass(frozen=True)
class QueuedMessage:
    """One message of the queue, as `postqueue -j` tells of it."""

    queue_name: str
    queue_id: str
    arrival_time: datetime
    size_bytes: int
    sender: str
    recipients: tuple[QueuedRecipient, ...]


class Postfix:
    """A Postfix on a loopback address, from `__enter__` to `__exit__`.

    `local` says what it receives into Maildirs, `outbound` what becomes of all other mail, which
    it takes from loopback clients unless `outbound` is `Nowhere()`. `settings` are lines of
    main.cf that win over ours, `services` are further lines of master.cf. Without a port a free
    one is taken.

    Raises `MissingTool` when Postfix is not installed, `PeerUnavailable` without root, and
    `PeerFailed` with the log when it does not start.
    """

    def __init__(
        self,
        address: str = LOOPBACK,
        port: int | None = None,
        *,
        local: Maildirs | None = None,
        outbound: Outbound | None = None,
        host_name: str = "postfix.test",
        settings: Mapping[str, str] | None = None,
        services: Sequence[str] = (),
    ) -> None:
        self.address = address
        self.port = choose_port(address, port)
        self.host_name = host_name
        self._local = local
        self._outbound: Outbound = outbound if outbound is not None else Nowhere()
        self._settings = dict(settings or {})
        self._services = services
        self._stack = ExitStack()
        self._directory: Path | None = None
        self._process: Process | None = None

    def __enter__(self) -> Self:
        master = find("master")
        if os.geteuid() != 0:
            raise PeerUnavailable("Postfix changes to users of its own: run this as root")
        with ExitStack() as stack:
            self._directory = stack.enter_context(private_directory("postfix"))
            self._write_files()
            stack.callback(self.stop)
            self._start(master)
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
        """The directory of the instance: etc, queue, data, mail and log."""
        if self._directory is None:
            raise RuntimeError("this Postfix has not been entered by `with`")
        return self._directory

    @property
    def config_directory(self) -> Path:
        """What the commands of Postfix take after -c, and sendmail after -C."""
        return self.directory / "etc"

    def _write_files(self) -> None:
        for name, mode, owner, group in directories():
            path = self.directory / name
            path.mkdir()
            path.chmod(mode)
            shutil.chown(path, owner, group)
        etc = self.config_directory
        etc.joinpath("main.cf").write_text(
            main_cf(
                self.directory,
                self.address,
                self.host_name,
                self._local,
                self._outbound,
                self._settings,
            )
        )
        etc.joinpath("master.cf").write_text(master_cf(self.address, self.port, self._services))
        if self._local is not None:
            etc.joinpath("mailboxes").write_text(mailboxes(self._local))
        if isinstance(self._outbound, Routes):
            etc.joinpath("routes").write_text(routes(self._outbound))
        if isinstance(self._outbound, ByDns):
            etc.joinpath("resolv.conf").write_text(
                f"nameserver {self._outbound.server}\noptions timeout:2 attempts:2\n"
            )
        # Postfix waits for seconds until a file that it reads is not new any more.
        long_ago = time.time() - 60
        for path in etc.iterdir():
            os.utime(path, (long_ago, long_ago))

    def _start(self, master: Path) -> None:
        command: list[str | Path] = [master, "-c", self.config_directory, "-d"]
        if isinstance(self._outbound, ByDns):
            # Only the C library's resolv.conf decides whom Postfix asks, so it sees another one.
            mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
            resolver = self.config_directory / "resolv.conf"
            shell: list[str | Path] = ["sh", "-c", mount, resolver, *command]
            command = [find("unshare"), "--mount", "--propagation", "private", *shell]
        self._process = Process(
            command,
            self.directory / "log" / "master.out",
            environment={"MAIL_CONFIG": str(self.config_directory)},
        )
        self._process.wait_for_port(self.address, self.port)

    @property
    def pid(self) -> int:
        """The id of master(8), which is that of its process group too."""
        if self._process is None:
            raise RuntimeError("this Postfix is not running")
        return self._process.pid

    def stop(self) -> None:
        """End the processes and keep the files; `start` goes on with the same queue."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def start(self) -> None:
        """Start again after `stop` or `kill`, on the same port with the same queue."""
        if self._process is None:
            self._start(find("master"))

    def kill(self) -> None:
        """End every process by SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.signal(signal.SIGKILL)
            self.stop()

    def maildir(self, user: str, domain: str) -> list[Path]:
        """Return the files of a user's mail, oldest first."""
        directory = self.directory / "mail" / domain
        shared = self._local is not None and self._local.users is None
        name = CATCH_ALL if shared else user
        paths = [path for part in ("new", "cur") for path in (directory / name / part).glob("*")]
        paths.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
        if not shared:
            return paths
        wanted = f"{user}@{domain}".encode().lower()
        return [path for path in paths if wanted in _delivered_to(path)]

    def messages(self, user: str, domain: str) -> list[bytes]:
        """Return a user's mail, oldest first, as virtual(8) wrote it.

        Lines end in LF, and Return-Path, X-Original-To and Delivered-To come first.
        """
        return [path.read_bytes() for path in self.maildir(user, domain)]

    def count(self, domain: str) -> int:
        """Return how many messages all Maildirs of a domain hold together, at little cost."""
        base = self.directory / "mail" / domain
        total = 0
        for part in (*base.glob("*/new"), *base.glob("*/cur")):
            with os.scandir(part) as entries:
                total += sum(1 for _ in entries)
        return total

    def queue(self) -> list[QueuedMessage]:
        """Return the messages that wait."""
        lines = self._postqueue("-j").splitlines()
        return [_queued(json.loads(line)) for line in lines if line.strip()]

    def flush(self) -> None:
        """Try every deferred message now."""
        self._postqueue("-f")

    def _postqueue(self, option: str) -> bytes:
        return run([find("postqueue"), "-c", self.config_directory, option])

    def sendmail(
        self, sender: str, recipients: Sequence[str], data: bytes, options: Sequence[str] = ()
    ) -> None:
        """Hand in a message by this instance's own sendmail(1).

        An empty sender is the null one. `options` are further ones, such as `-N success`.
        """
        # The sendmail beside postqueue, since other mail programs install one of the same name.
        program = find("postqueue").with_name("sendmail")
        command: list[str | Path] = [program, "-C", self.config_directory, "-i", "-f", sender]
        run([*command, *options, "--", *recipients], data)

    def log(self) -> str:
        """Return what the instance has logged so far; a line may come a moment after its event."""
        log = self.directory / "log" / "mail.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def wait_for_log(self, text: str, timeout_seconds: float = 10) -> None:
        """Wait until the log contains a text.

        Raises `TimeoutError` with the end of the log.
        """
        try:
            wait_until(lambda: text in self.log(), timeout_seconds, f"{text!r} in the log")
        except TimeoutError as error:
            end = "\n".join(self.log().splitlines()[-30:])
            raise TimeoutError(f"{error}\n{end}") from None

    def queue_is_empty(self) -> bool:
        """Return whether no message waits, found by a look at the directories, at little cost."""
        # Twice, since a deferred message that is tried again moves against the order.
        return not any(self._queue_files()) and not any(self._queue_files())

    def wait_until_queue_empty(self, timeout_seconds: float = 30) -> None:
        """Wait until every message has been delivered, bounced or discarded.

        Raises `TimeoutError` that names what still waits, and why.
        """
        try:
            wait_until(self.queue_is_empty, timeout_seconds, "Postfix to empty its queue")
        except TimeoutError as error:
            waiting = self.queue()
            reasons = {r.delay_reason for message in waiting for r in message.recipients}
            raise TimeoutError(
                f"{error}; {len(waiting)} wait: {sorted(map(str, reasons))}"
            ) from None

    def _queue_files(self) -> Iterator[str]:
        for name in _QUEUES:
            for _, _, files in os.walk(self.directory / "queue" / name):
                yield from files


def _delivered_to(path: Path) -> set[bytes]:
    """Return the recipients that virtual(8) wrote into the first lines of a message."""
    found = set()
    with path.open("rb") as lines:
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or name not in (b"Return-Path", b"X-Original-To", b"Delivered-To"):
                break
            if name == b"Delivered-To":
                found.add(value.strip().lower())
    return found


def _queued(entry: Mapping[str, object]) -> QueuedMessage:
    recipients = entry["recipients"]
    size, arrival = entry["message_size"], entry["arrival_time"]
    if not (isinstance(recipients, list) and isinstance(size, int) and isinstance(arrival, int)):
        raise ValueError(f"postqueue -j printed something unknown: {entry!r}")
    return QueuedMessage(
        queue_name=str(entry["queue_name"]),
        queue_id=str(entry["queue_id"]),
        arrival_time=datetime.fromtimestamp(arrival, UTC),
        size_bytes=size,
        sender=str(entry["sender"]),
        recipients=tuple(
            QueuedRecipient(str(one["address"]), one.get("delay_reason")) for one in recipients
        ),
    )
