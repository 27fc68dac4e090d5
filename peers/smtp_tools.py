"""Postfix's load generator and its counterpart: smtp-source(1) and smtp-sink(1).

smtp-source sends without pipelining, TLS or authentication, a new connection for each message
unless told otherwise. smtp-sink takes mail and forgets it, and answers some commands with errors
when asked to.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from peers.tools import LOOPBACK, PeerFailed, Process, choose_port, find, private_directory

_UNPRIVILEGED = "nobody"
_COUNTERS = re.compile(r"sess=(\d+) quit=(\d+) mesg=(\d+)")


@dataclass(frozen=True)
class Sent:
    """What a run of smtp-source did; every message was accepted."""

    messages: int
    recipients: int
    seconds: float

    @property
    def messages_per_second(self) -> float:
        return self.messages / self.seconds


def smtp_source(
    address: str,
    port: int,
    *,
    sessions: int = 1,
    messages: int = 1,
    length_bytes: int | None = None,
    file: Path | None = None,
    sender: str = "sender@source.test",
    recipient: str = "recipient@sink.test",
    recipients_per_message: int = 1,
    number_recipients: bool = False,
    keep_connections: bool = True,
    subject: str | None = None,
    host_name: str = "source.test",
    lmtp: bool = False,
    timeout_seconds: float = 300,
) -> Sent:
    """Send many messages and return how long it took.

    `length_bytes` is the size of the body without the header; `file` sends a header and body of
    one's own instead. `number_recipients` puts a new number before each recipient, and
    `recipients_per_message` above 1 numbers them within a message.

    Raises `MissingTool`, and `PeerFailed` with the server's reply as soon as one is not positive.
    """
    command: list[str | Path] = [find("smtp-source")]
    command += ["-s", str(sessions), "-m", str(messages), "-M", host_name]
    command += ["-f", sender, "-t", recipient, "-r", str(recipients_per_message)]
    # A full listen queue makes the kernel refuse; that is congestion, not a failure.
    command += ["-C", "10"]
    if length_bytes is not None:
        command += ["-l", str(length_bytes)]
    if file is not None:
        command += ["-F", file]
    if subject is not None:
        command += ["-S", subject]
    flags = {"-d": keep_connections, "-N": number_recipients, "-L": lmtp}
    command += [flag for flag, wanted in flags.items() if wanted]
    target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    begin = time.perf_counter()
    done = subprocess.run(
        [*command, target], capture_output=True, timeout=timeout_seconds, check=False
    )
    seconds = time.perf_counter() - begin
    said = (done.stdout + done.stderr).decode(errors="replace").strip()
    # Without -A it ends with an error at the first reply that it did not hope for.
    if done.returncode != 0:
        raise PeerFailed(f"smtp-source to {target} exited with {done.returncode}: {said}")
    return Sent(messages, messages * recipients_per_message, seconds)


class SmtpSink:
    """An SMTP (or LMTP) server that takes everything, from `__enter__` to `__exit__`.

    With `store` each message becomes a file, read by `messages`; this is slow. `reject_hard` and
    `reject_soft` name commands to answer with 5xx and 4xx, `disconnect` those after which the
    connection is cut without a reply (`.` is the end of the data). `options` are further ones.
    """

    def __init__(
        self,
        address: str = LOOPBACK,
        port: int | None = None,
        *,
        store: bool = False,
        host_name: str = "sink.test",
        lmtp: bool = False,
        maximum_sessions: int = 1000,
        reject_hard: Sequence[str] = (),
        reject_soft: Sequence[str] = (),
        disconnect: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        self.address = address
        self.port = choose_port(address, port)
        self._store = store
        self._options = ["-c", "-h", host_name, "-m", str(maximum_sessions), *options]
        self._options += ["-L"] if lmtp else []
        for flag, commands in (("-f", reject_hard), ("-r", reject_soft), ("-q", disconnect)):
            self._options += [flag, ",".join(commands)] if commands else []
        self._stack = ExitStack()
        self._directory: Path | None = None
        self._process: Process | None = None

    def __enter__(self) -> Self:
        program = find("smtp-sink")
        with ExitStack() as stack:
            self._directory = stack.enter_context(private_directory("smtp-sink"))
            mail = self._directory / "mail"
            mail.mkdir()
            # smtp-sink does not run as root, and has to write its files as whom it becomes.
            user = ["-u", _UNPRIVILEGED] if os.geteuid() == 0 else []
            if user:
                shutil.chown(mail, _UNPRIVILEGED)
            store = ["-d", str(mail / "%H%M%S.")] if self._store else []
            target = f"[{self.address}]:{self.port}" if ":" in self.address else ""
            target = target or f"{self.address}:{self.port}"
            command: list[str | Path] = [program, *user, *self._options, *store, target, "1000"]
            self._process = stack.enter_context(Process(command, self._directory / "counters"))
            self._process.wait_for_port(self.address, self.port)
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
    def count(self) -> int:
        """How many messages it has taken."""
        if self._process is None:
            raise RuntimeError("this smtp-sink has not been entered by `with`")
        # One line that is written over and over: only the last counters count.
        with self._process.log_file.open("rb") as counters:
            size = counters.seek(0, 2)
            counters.seek(max(0, size - 200))
            found = _COUNTERS.findall(counters.read().decode(errors="replace"))
        return int(found[-1][2]) if found else 0

    def messages(self) -> list[bytes]:
        """Return the stored mail, oldest first: X-lines on the session, then the content.

        The lines that smtp-sink itself puts first are X-Client-Addr, X-Client-Proto, X-Helo-Args,
        X-Mail-Args, X-Rcpt-Args and a Received; lines end in LF.
        """
        if self._directory is None or not self._store:
            raise RuntimeError("this smtp-sink stores nothing: SmtpSink(store=True)")
        paths = sorted(
            (self._directory / "mail").iterdir(), key=lambda path: path.stat().st_mtime_ns
        )
        return [path.read_bytes() for path in paths]
