"""Rows of mail coming in and going on: intake, to a local mailbox, through to another server.

All are loaded by smtp-source(1) over kept connections, without pipelining. End to end means until the
last message is where it goes: in the mailbox by count, or taken by smtp-sink(1).
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from enum import Enum

from msgspec import Struct

from bench.contest import Contest, Row, Scale, Side
from bench.figures import Goal
from bench.ours import DOMAIN, POLL_SECONDS, Postroad
from peers.postfix import Discard, Maildirs, Postfix, Relay
from peers.smtp_tools import SmtpSink, smtp_source
from peers.tools import LOOPBACK, Process, free_port, private_directory

_SECONDS = 120
KIB = 1024


class Road(Enum):
    """How far a message goes before it counts."""

    INTAKE = "intake"
    LOCAL = "local"
    RELAY = "relay"


class Against(Enum):
    """Whom a row compares us with."""

    POSTFIX = "Postfix"
    AIOSMTPD = "aiosmtpd, which stores nothing"
    BARE = "bare loop"


class Load(Struct, frozen=True):
    """What smtp-source sends in one run to each side."""

    sessions: int
    size: int
    ours: int
    peer: int


class SmtpContest(Contest):
    """Messages a second, us against one peer."""

    def __init__(
        self, name: str, title: str, road: Road, against: Against, load: Load, goal: Goal
    ) -> None:
        self.name = name
        self.rows = (Row(name, title, "messages/s", against.value, goal=goal),)
        self._road = road
        self._against = against
        self._load = load

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, Side]:
        """Start both servers, and a sink for each where mail is relayed."""
        load = self._load
        ours = _ours(stack, self._road, load, scale.of(load.ours, least=load.sessions))
        messages = scale.of(load.peer, least=load.sessions)
        match self._against:
            case Against.POSTFIX:
                return ours, _postfix(stack, self._road, load, messages)
            case Against.AIOSMTPD:
                return ours, _aiosmtpd(stack, load, messages)
            case Against.BARE:
                return ours, _bare(stack, self._road, load, messages)


def messages_a_second(
    port: int,
    load: Load,
    messages: int,
    recipient: str,
    wait: Callable[[], object] | None = None,
) -> float:
    """Send, wait, and return messages a second of both together."""
    begin = time.perf_counter()
    smtp_source(
        LOOPBACK,
        port,
        sessions=load.sessions,
        messages=messages,
        length_bytes=load.size,
        recipient=recipient,
    )
    if wait is not None:
        wait()
    return messages / (time.perf_counter() - begin)


def _ours(stack: ExitStack, road: Road, load: Load, messages: int) -> Side:
    if road is Road.RELAY:
        return _ours_relaying(stack, load, messages)
    server = stack.enter_context(Postroad()).start()

    def run() -> Sequence[float]:
        wanted = server.deposited() + messages
        recipient = f"user@{DOMAIN}"
        if road is Road.LOCAL:
            rate = messages_a_second(
                server.smtp_port,
                load,
                messages,
                recipient,
                lambda: server.wait_until_deposited(wanted),
            )
        else:
            rate = messages_a_second(server.smtp_port, load, messages, recipient)
        server.wait_until_deposited(wanted)
        # What the store counts has to be what a client sees; this is not timed.
        seen = server.count()
        if seen != wanted:
            raise AssertionError(f"POP3 shows {seen} messages and {wanted} were sent")
        return (rate,)

    return run


def _ours_relaying(stack: ExitStack, load: Load, messages: int) -> Side:
    sink = stack.enter_context(SmtpSink())
    server = Postroad(
        aliases={"relay": "user@sink.test"}, routes={"sink.test": (sink.address, sink.port)}
    )
    stack.enter_context(server).start()

    def run() -> Sequence[float]:
        wanted = sink.count + messages
        rate = messages_a_second(
            server.smtp_port, load, messages, f"relay@{DOMAIN}", lambda: _wait_for(sink, wanted)
        )
        _at_rest()
        return (rate,)

    return run


def _postfix(stack: ExitStack, road: Road, load: Load, messages: int) -> Side:
    sink: SmtpSink | None = None
    if road is Road.RELAY:
        sink = stack.enter_context(SmtpSink())
        postfix = Postfix(outbound=Relay(sink.address, sink.port))
    elif road is Road.LOCAL:
        postfix = Postfix(local=Maildirs([DOMAIN], ["user"]))
    else:
        postfix = Postfix(outbound=Discard())
    stack.enter_context(postfix)

    def run() -> Sequence[float]:
        local = postfix.count(DOMAIN) if road is Road.LOCAL else 0
        relayed = sink.count if sink is not None else 0
        wait: Callable[[], object] | None
        if sink is not None:
            taken = sink
            wait = lambda: _wait_for(taken, relayed + messages)  # noqa: E731
        else:
            wait = None if road is Road.INTAKE else lambda: _wait_until_empty(postfix)
        rate = messages_a_second(postfix.port, load, messages, f"user@{DOMAIN}", wait)
        _wait_until_empty(postfix)
        if road is Road.LOCAL and postfix.count(DOMAIN) != local + messages:
            raise AssertionError(f"Postfix has {postfix.count(DOMAIN)} of {local + messages}")
        return (rate,)

    return run


def _aiosmtpd(stack: ExitStack, load: Load, messages: int) -> Side:
    port = free_port()
    directory = stack.enter_context(private_directory("aiosmtpd"))
    command = [sys.executable, "-m", "bench.aiosmtpd_sink", LOOPBACK, str(port)]
    process = stack.enter_context(Process(command, directory / "log"))
    process.wait_for_port(LOOPBACK, port)
    return lambda: (messages_a_second(port, load, messages, f"user@{DOMAIN}"),)


def _bare(stack: ExitStack, road: Road, load: Load, messages: int) -> Side:
    port = free_port()
    directory = stack.enter_context(private_directory("bare"))
    command = [sys.executable, "-m", "bench.bare_loop", LOOPBACK, str(port)]
    command.append(str(directory / "bare.db"))
    sink: SmtpSink | None = None
    if road is Road.RELAY:
        sink = stack.enter_context(SmtpSink())
        command += ["--relay", f"{sink.address}:{sink.port}"]
    process = stack.enter_context(Process(command, directory / "log"))
    process.wait_for_port(LOOPBACK, port)

    def run() -> Sequence[float]:
        if sink is None:
            rate = messages_a_second(port, load, messages, f"user@{DOMAIN}")
        else:
            taken, wanted = sink, sink.count + messages
            rate = messages_a_second(
                port, load, messages, f"user@{DOMAIN}", lambda: _wait_for(taken, wanted)
            )
        _at_rest()
        return (rate,)

    return run


def _wait_for(sink: SmtpSink, count: int) -> None:
    deadline = time.monotonic() + _SECONDS
    while sink.count < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"smtp-sink has {sink.count} of {count} messages")
        time.sleep(POLL_SECONDS)


def _wait_until_empty(postfix: Postfix) -> None:
    deadline = time.monotonic() + _SECONDS
    while not postfix.queue_is_empty():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(postfix.queue())} messages are still in Postfix's queue")
        time.sleep(POLL_SECONDS)


def _at_rest() -> None:
    """Let last outcomes be committed, so that the other side's run is not disturbed."""
    time.sleep(0.2)


def contests() -> list[Contest]:
    """Return the rows about SMTP."""
    postfix = Against.POSTFIX
    intake, local, relay = Goal(4, 7), Goal(4, 6), Goal(4, 7)
    large, bare = Goal(2, 4), Goal(0.5, 0.75)
    large_load = Load(20, 100 * KIB, 800, 500)
    some = Load(20, 4 * KIB, 6000, 2000)
    return [
        SmtpContest(
            "intake-1",
            "intake, 1 connection, 4 KiB",
            Road.INTAKE,
            postfix,
            Load(1, 4 * KIB, 1500, 1000),
            Goal(),
        ),
        SmtpContest(
            "intake-20", "intake, 20 connections, 4 KiB", Road.INTAKE, postfix, some, intake
        ),
        SmtpContest(
            "intake-100",
            "intake, 100 connections, 4 KiB",
            Road.INTAKE,
            postfix,
            Load(100, 4 * KIB, 6000, 2000),
            intake,
        ),
        SmtpContest(
            "local",
            "to a local mailbox, 20 connections, 4 KiB",
            Road.LOCAL,
            postfix,
            Load(20, 4 * KIB, 5000, 1500),
            local,
        ),
        SmtpContest(
            "relay",
            "relay, 20 connections, 4 KiB",
            Road.RELAY,
            postfix,
            Load(20, 4 * KIB, 5000, 1500),
            relay,
        ),
        SmtpContest(
            "intake-large",
            "intake, 20 connections, 100 KiB",
            Road.INTAKE,
            postfix,
            large_load,
            large,
        ),
        SmtpContest(
            "local-large",
            "to a local mailbox, 20 connections, 100 KiB",
            Road.LOCAL,
            postfix,
            large_load,
            large,
        ),
        SmtpContest(
            "relay-large",
            "relay, 20 connections, 100 KiB",
            Road.RELAY,
            postfix,
            large_load,
            large,
        ),
        SmtpContest(
            "aiosmtpd",
            "intake, 20 connections, 4 KiB",
            Road.INTAKE,
            Against.AIOSMTPD,
            Load(20, 4 * KIB, 6000, 5000),
            Goal(1.5, 3),
        ),
        SmtpContest(
            "bare-intake",
            "intake, 20 connections, 4 KiB",
            Road.INTAKE,
            Against.BARE,
            Load(20, 4 * KIB, 6000, 8000),
            bare,
        ),
        SmtpContest(
            "bare-relay",
            "relay, 20 connections, 4 KiB",
            Road.RELAY,
            Against.BARE,
            Load(20, 4 * KIB, 6000, 6000),
            bare,
        ),
    ]
