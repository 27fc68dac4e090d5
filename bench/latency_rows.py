"""Rows of latency: from the 250 of a submission until the message shows in POP3.

The client submits one message, then logs in by POP3 every 2 ms until it is there; so the figures hold
the time of one such login too. (Without that pause the looking itself would be the load.) Half load
means that for another user messages come in at half of the rate at which they come, on as many
connections from the same client and while the same is looked for, as fast as they are taken.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from bench.contest import Contest, Row, Scale, Side
from bench.figures import Better, Goal, percentile
from bench.ours import DOMAIN, PASSWORD, Postroad
from bench.pop3_client import Pop3Client
from bench.smtp_client import SubmissionClient, message
from peers.tools import PeerFailed

_USER = f"user@{DOMAIN}"
_LOAD = "load"
_SAMPLES = 200
_CAPACITY_SAMPLES = 100  # while these are taken, the most that comes in is measured
_SETTLE_SECONDS = 0.5
_UNLIMITED = float("inf")
_KEPT_SHARE = 0.9  # of the promised load, or the figures would tell of a lighter one
_TIMEOUT_SECONDS = 30
_PAUSE_SECONDS = 0.002


def _rows(name: str, title: str, goal: Goal) -> tuple[Row, Row]:
    what = f"submission's 250 to visible in POP3, {title}"
    return (
        Row(f"{name}-p50", f"{what}, p50", "ms", better=Better.LOWER),
        Row(f"{name}-p99", f"{what}, p99", "ms", better=Better.LOWER, goal=goal),
    )


class Idle(Contest):
    """Milliseconds, p50 and p99 of each run, of a server that has nothing else to do."""

    name = "latency-idle"
    rows = _rows("latency-idle", "idle", Goal(20, 5))

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Start the server."""
        server = stack.enter_context(Postroad()).start()
        return lambda: _percentiles(_sample(server, scale.of(_SAMPLES))), None


class HalfLoad(Contest):
    """The same while other mail comes in, and how much that was."""

    name = "latency-half"
    rows = (
        *_rows("latency-half", "half load", Goal(150, 50)),
        Row("latency-half-load", "what half load was: to a local mailbox", "messages/s"),
    )

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Start the server and measure what it can take."""
        server = stack.enter_context(Postroad(users=("user", _LOAD))).start()
        rates = []
        for _ in range(2):  # the first warms up
            with _Load(server, _UNLIMITED) as load:
                _sample(server, scale.of(_CAPACITY_SAMPLES))
            rates.append(load.rate)
        half = rates[-1] / 2

        def run() -> Sequence[float]:
            with _Load(server, half) as load:
                milliseconds = _sample(server, scale.of(_SAMPLES))
            if load.rate < _KEPT_SHARE * half:
                raise PeerFailed(
                    f"only {load.rate:.0f} messages/s came through where half load is {half:.0f}"
                )
            return (*_percentiles(milliseconds), load.rate)

        return run, None


def _percentiles(milliseconds: Sequence[float]) -> tuple[float, float]:
    return percentile(milliseconds, 0.5), percentile(milliseconds, 0.99)


def _sample(server: Postroad, samples: int) -> list[float]:
    content = message(4096, sender=_USER, recipient=_USER)
    seen = server.count()
    found = []
    with SubmissionClient(server.address, server.submission_port, _USER, PASSWORD) as client:
        for _ in range(samples):
            accepted = client.send(_USER, content)
            seen += 1
            found.append((_visible(server, seen) - accepted) * 1000)
    return found


def _visible(server: Postroad, count: int) -> float:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        with Pop3Client(server.address, server.pop3_port) as client:
            client.log_in(_USER, PASSWORD)
            shown, _ = client.stat()
            now = time.perf_counter()
            client.quit()
        if shown >= count:
            return now
        if time.monotonic() > deadline:
            raise TimeoutError(f"{shown} of {count} messages show after {_TIMEOUT_SECONDS} s")
        time.sleep(_PAUSE_SECONDS)


class _Load:
    """So many messages a second in the background. `rate` is what came to the mailbox in the end."""

    def __init__(self, server: Postroad, wanted: float) -> None:
        self.rate = 0.0
        self._server = server
        self._already = server.deposited(_LOAD)
        command = [sys.executable, "-m", "bench.smtp_client", server.address, str(server.smtp_port)]
        command += [f"{_LOAD}@{DOMAIN}", str(wanted)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        time.sleep(_SETTLE_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._process as process:
            try:
                printed, _ = process.communicate(timeout=_TIMEOUT_SECONDS)
            finally:
                process.kill()
        if process.returncode:
            raise PeerFailed(f"the load ended with {process.returncode}")
        told = json.loads(printed)
        began = told["ended"] - told["seconds"]
        ended = self._server.wait_until_deposited(self._already + told["messages"], _LOAD)
        self.rate = told["messages"] / (max(ended, told["ended"]) - began)


def contests() -> list[Contest]:
    """Return the rows about latency."""
    return [Idle(), HalfLoad()]
