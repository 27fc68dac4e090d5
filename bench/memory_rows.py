"""Rows of memory: how much the server process grows. Each is measured once, on a fresh server.

Growth is the resident memory at its peak, less what was resident after a small warm-up.
"""

import resource
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from bench.contest import Contest, Row, Scale, Side
from bench.figures import Better, Goal
from bench.fill import fill
from bench.ours import DOMAIN, PASSWORD, Postroad
from bench.pop3_client import Pop3Client
from bench.pop3_rows import remember_login
from peers.smtp_tools import SmtpSink, smtp_source
from peers.tools import PeerFailed, PeerUnavailable, wait_until

_MB, _KB = 10**6, 10**3
_LARGE = 50 * _MB
_SPARE_FILES = 500


class MemoryContest(Contest):
    """One run, without warm-up, on a server of its own."""

    warm_up = False
    max_runs = 1


class LargeMessage(MemoryContest):
    """A message of 50 MB comes in and is relayed; another comes in and is read by POP3."""

    name = "memory-message"
    # Bodies stream: a message must not cost its own size in memory.
    rows = (
        Row(
            "memory-message",
            "growth with a 50 MB message in and relayed",
            "MB",
            better=Better.LOWER,
            goal=Goal(must=8.0),
        ),
        Row(
            "memory-message-pop3",
            "growth with a 50 MB message in and read by POP3",
            "MB",
            better=Better.LOWER,
            goal=Goal(must=8.0),
        ),
    )
    seconds = 10.0

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Start the server and a sink."""
        sink = stack.enter_context(SmtpSink())
        server = Postroad(
            aliases={"relay": "user@sink.test"}, routes={"sink.test": (sink.address, sink.port)}
        )
        stack.enter_context(server).start()

        def send(length: int, to: str) -> None:
            smtp_source(
                server.address, server.smtp_port, length_bytes=length, recipient=f"{to}@{DOMAIN}"
            )

        def relay(length: int) -> None:
            wanted = sink.count + 1
            send(length, "relay")
            wait_until(lambda: sink.count >= wanted, 60, "the message to be relayed")

        def read(length: int) -> None:
            wanted = server.deposited() + 1
            send(length, "user")
            server.wait_until_deposited(wanted)
            with Pop3Client(server.address, server.pop3_port) as client:
                client.log_in(f"user@{DOMAIN}", PASSWORD)
                octets = client.retrieve_pipelined(wanted, wanted, 1)
                client.quit()
            if octets < length:
                raise PeerFailed(f"only {octets} of {length} octets came by POP3")

        def growth(way: Callable[[int], None]) -> float:
            way(100_000)
            base = server.resident.now()
            server.resident.forget_peak()
            way(_LARGE)
            return (server.resident.peak() - base) / _MB

        def run() -> Sequence[float]:
            relayed = growth(relay)
            # The first login hashes a password in 64 MiB, which must not count here.
            remember_login(server, f"user@{DOMAIN}")
            return relayed, growth(read)

        return run, None


class IdleConnections(MemoryContest):
    """Connections that said EHLO and then nothing."""

    seconds = 15.0

    def __init__(self, connections: int) -> None:
        self.name = f"memory-idle-{connections}"
        title = f"growth per idle SMTP connection, {connections:,} of them"
        self.rows = (Row(self.name, title, "kB", "", Better.LOWER, Goal(must=25.0)),)
        self._connections = connections

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Start the server, with room for its files and ours."""
        _allow_files(self._connections + _SPARE_FILES)
        server = stack.enter_context(Postroad()).start()

        def run() -> Sequence[float]:
            with ExitStack() as connections:
                connections.enter_context(_greeted(server))
                base = server.resident.now()
                for _ in range(self._connections):
                    connections.enter_context(_greeted(server))
                time.sleep(0.2)
                grown = server.resident.now() - base
            return (grown / self._connections / _KB,)

        return run, None


class LongMailbox(MemoryContest):
    """A POP3 session on a mailbox of 100,000 messages that has listed them all."""

    name = "memory-pop3"
    rows = (
        Row(
            name,
            "growth with a POP3 session of 100,000 messages",
            "MB",
            "",
            Better.LOWER,
            Goal(must=64.0),
        ),
    )
    seconds = 20.0

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Fill a mailbox."""
        server = stack.enter_context(Postroad())
        fill(server, {"user": 100_000}, 1024)
        server.start()

        def run() -> Sequence[float]:
            user = f"user@{DOMAIN}"
            # The first login hashes a password in 64 MiB, which must not count here.
            remember_login(server, user)
            base = server.resident.now()
            server.resident.forget_peak()
            with Pop3Client(server.address, server.pop3_port) as client:
                client.log_in(user, PASSWORD)
                client.stat()
                client.uidl()
                grown = server.resident.peak() - base
                client.quit()
            return (grown / _MB,)

        return run, None


def _greeted(server: Postroad) -> socket.socket:
    connection = socket.create_connection((server.address, server.smtp_port), timeout=30)
    connection.recv(4096)
    connection.sendall(b"EHLO idle.test\r\n")
    connection.recv(4096)
    return connection


def _allow_files(count: int) -> None:
    """Raise our limit on open files, which the server inherits. Raises `PeerUnavailable`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        try:
            wanted = hard if hard == resource.RLIM_INFINITY else max(hard, count)
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, wanted))
        except (OSError, ValueError) as error:
            raise PeerUnavailable(f"needs {count} open files (ulimit -n): {error}") from None


def contests() -> list[Contest]:
    """Return the rows about memory."""
    return [LargeMessage(), IdleConnections(1000), IdleConnections(10_000), LongMailbox()]
