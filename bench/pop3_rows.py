"""Rows of reading mail by POP3, against Dovecot on Maildir; the same bytes in both.

Passwords cost nothing on either side: Dovecot compares plain text, and our server remembers the login
from an SMTP AUTH before the clock starts (the first one costs an argon2 hash, by intention).
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from enum import Enum

from bench.contest import Contest, Row, Scale, Side
from bench.figures import Better, Goal
from bench.fill import fill
from bench.ours import DOMAIN, PASSWORD, Postroad
from bench.pop3_client import Pop3Client, Pop3Failed
from bench.smtp_client import SubmissionClient
from peers.dovecot import Dovecot
from peers.tools import LOOPBACK

_PEER = "Dovecot, Maildir"
_LISTED_SIZE = 1024
_RETRIEVED_SIZE = 4096
_BATCH = 50
_PROCESSES = 8
_WARM_LOGINS = 3


class ListContest(Contest):
    """From connecting to the last line of UIDL: cold, then warm.

    Cold is the first time since our server started, and for Dovecot the first time without its index
    (its list of uids stays, and sizes stand in the file names, as in mail that Dovecot delivered).
    """

    def __init__(self, messages: int, cold: Goal, warm: Goal) -> None:
        self.name = f"pop3-list-{messages}"
        what = f"login + STAT + UIDL, {messages:,} messages"
        self.rows = (
            Row(f"{self.name}-cold", f"{what}, cold", "ms", _PEER, Better.LOWER, cold),
            Row(f"{self.name}-warm", f"{what}, warm", "ms", _PEER, Better.LOWER, warm),
        )
        if messages >= 100_000:
            self.seconds, self.max_runs = 45, 3  # filling takes long enough; one row, one minute
        self._messages = messages

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, Side]:
        """Fill both mailboxes."""
        messages = self._messages
        server = stack.enter_context(Postroad())
        fill(server, {"user": messages}, _LISTED_SIZE)
        dovecot = stack.enter_context(Dovecot())
        dovecot.fill("user", messages, _LISTED_SIZE)
        _milliseconds(dovecot.pop3_port, "user", dovecot.password, messages)

        def ours() -> Sequence[float]:
            server.stop()
            server.start()
            user = f"user@{DOMAIN}"
            remember_login(server, user)
            return _cold_and_warm(lambda: _milliseconds(server.pop3_port, user, PASSWORD, messages))

        def theirs() -> Sequence[float]:
            dovecot.drop_index("user")
            return _cold_and_warm(
                lambda: _milliseconds(dovecot.pop3_port, "user", dovecot.password, messages)
            )

        return ours, theirs


def remember_login(server: Postroad, user: str) -> None:
    """Log in by SMTP, so that the server knows the password without hashing it again."""
    with SubmissionClient(server.address, server.submission_port, user, PASSWORD):
        pass


def _cold_and_warm(measure: Callable[[], float]) -> tuple[float, float]:
    cold = measure()
    return cold, min(measure() for _ in range(_WARM_LOGINS))


def _milliseconds(port: int, user: str, password: str, messages: int) -> float:
    begin = time.perf_counter()
    with Pop3Client(LOOPBACK, port) as client:
        client.log_in(user, password)
        count, _ = client.stat()
        listed = client.uidl()
        seconds = time.perf_counter() - begin
        client.quit()
    if (count, listed) != (messages, messages):
        raise Pop3Failed(f"STAT says {count}, UIDL {listed}, and there are {messages}")
    return seconds * 1000


class Reading(Enum):
    """How messages are retrieved."""

    ONE_BY_ONE = "one by one"
    IN_PARALLEL = "one by one on 8 connections"
    PIPELINED = "pipelined by 50"


class RetrieveContest(Contest):
    """RETR of whole mailboxes, messages a second."""

    def __init__(self, name: str, reading: Reading, messages: int, goal: Goal) -> None:
        self.name = name
        self.rows = (Row(name, f"RETR {reading.value}, 4 KiB", "messages/s", _PEER, goal=goal),)
        self._reading = reading
        self._messages = messages

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, Side]:
        """Fill the mailboxes; as many as there are connections, since POP3 locks them."""
        many = _PROCESSES if self._reading is Reading.IN_PARALLEL else 1
        users = [f"user{number}" for number in range(many)]
        messages = scale.of(self._messages)
        server = stack.enter_context(Postroad(users=users))
        fill(server, dict.fromkeys(users, messages), _RETRIEVED_SIZE)
        server.start()
        names = [f"{user}@{DOMAIN}" for user in users]
        for name in names:
            remember_login(server, name)
        dovecot = stack.enter_context(Dovecot())
        for user in users:
            dovecot.fill(user, messages, _RETRIEVED_SIZE)
        return (
            self._side(server.pop3_port, names, PASSWORD, messages),
            self._side(dovecot.pop3_port, users, dovecot.password, messages),
        )

    def _side(self, port: int, users: Sequence[str], password: str, messages: int) -> Side:
        match self._reading:
            case Reading.ONE_BY_ONE:
                return lambda: (
                    _rate(port, users[0], password, messages, lambda c: c.retrieve(1, messages)),
                )
            case Reading.PIPELINED:
                return lambda: (
                    _rate(
                        port,
                        users[0],
                        password,
                        messages,
                        lambda client: client.retrieve_pipelined(1, messages, _BATCH),
                    ),
                )
            case Reading.IN_PARALLEL:
                return lambda: (_parallel_rate(port, users, password),)


def _rate(
    port: int,
    user: str,
    password: str,
    messages: int,
    retrieve: Callable[[Pop3Client], int],
) -> float:
    with Pop3Client(LOOPBACK, port) as client:
        client.log_in(user, password)
        count, octets = client.stat()
        begin = time.perf_counter()
        read = retrieve(client)
        seconds = time.perf_counter() - begin
        client.quit()
    if count != messages or read < octets:
        raise Pop3Failed(f"{read} of {octets} octets came in {count} of {messages} messages")
    return messages / seconds


def _parallel_rate(port: int, users: Sequence[str], password: str) -> float:
    """Retrieve all mailboxes at once, each by a process of its own; from the first to the last."""
    with ExitStack() as stack:
        readers = []
        for user in users:
            command = [sys.executable, "-m", "bench.pop3_client"]
            command += [LOOPBACK, str(port), user, password]
            reader = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(reader.kill)
            readers.append(reader)
        for reader in readers:
            if reader.stdout is None or reader.stdout.readline() != "ready\n":
                raise Pop3Failed("a reader did not get ready")
        for reader in readers:
            if reader.stdin is not None:
                reader.stdin.write("go\n")
                reader.stdin.flush()
        told = [json.loads(reader.communicate(timeout=120)[0]) for reader in readers]
    seconds = max(each["end"] for each in told) - min(each["begin"] for each in told)
    return float(sum(each["messages"] for each in told) / seconds)


def contests() -> list[Contest]:
    """Return the rows about POP3."""
    none = Goal()
    return [
        ListContest(10, none, none),
        ListContest(10_000, none, none),
        ListContest(100_000, Goal(5, 50), none),
        RetrieveContest("pop3-retr", Reading.ONE_BY_ONE, 8000, Goal(1, 1.5)),
        RetrieveContest("pop3-retr-8", Reading.IN_PARALLEL, 2000, Goal(1, 1.5)),
        RetrieveContest("pop3-retr-pipelined", Reading.PIPELINED, 8000, Goal(0.7, 1.2)),
    ]
