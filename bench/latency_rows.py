"""Rows of latency: from the 250 of a submission until the message shows in POP3.

The client submits one message, then logs in by POP3 every 2 ms until it is there; so the figures hold
the time of one such login too. (Without that pause the looking itself would be the load.) Half load
means that half as many messages a second as the machine takes to a local mailbox come in for another
user meanwhile.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench.contest import Contest, Row, Scale, Side
from bench.figures import Better, Goal, percentile
from bench.ours import DOMAIN, PASSWORD, Postroad
from bench.pop3_client import Pop3Client
from bench.smtp_client import SubmissionClient, message
from peers.smtp_tools import smtp_source
from peers.tools import PeerFailed

_USER = f"user@{DOMAIN}"
_LOAD = "load"
_SAMPLES = 200
_CAPACITY_MESSAGES = 5000
_SETTLE_SECONDS = 0.5
_KEPT_SHARE = 0.9  # of the promised load, or the figures would tell of a lighter one
_TIMEOUT_SECONDS = 30
_PAUSE_SECONDS = 0.002


class LatencyContest(Contest):
    """Milliseconds, p50 and p99 of each run."""

    def __init__(self, name: str, title: str, share: float, goal: Goal) -> None:
        self.name = name
        what = f"submission's 250 to visible in POP3, {title}"
        self.rows = (
            Row(f"{name}-p50", f"{what}, p50", "ms", better=Better.LOWER),
            Row(f"{name}-p99", f"{what}, p99", "ms", better=Better.LOWER, goal=goal),
        )
        self._share = share

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Start the server and, for a load, measure what it can take."""
        server = stack.enter_context(Postroad(users=("user", _LOAD))).start()
        samples = scale.of(_SAMPLES)
        content = message(4096, sender=_USER, recipient=_USER)
        rate = 0.0
        if self._share:
            rate = self._share * _capacity(server, scale.of(_CAPACITY_MESSAGES))

        def run() -> Sequence[float]:
            with _load(server, rate):
                milliseconds = _sample(server, content, samples)
            return percentile(milliseconds, 0.5), percentile(milliseconds, 0.99)

        return run, None


def _sample(server: Postroad, content: bytes, samples: int) -> list[float]:
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


def _capacity(server: Postroad, messages: int) -> float:
    """Return how many messages a second come to a local mailbox at most."""
    rates: list[float] = []
    for _ in range(2):  # the first warms up
        begin = time.perf_counter()
        smtp_source(
            server.address,
            server.smtp_port,
            sessions=20,
            messages=messages,
            length_bytes=4096,
            recipient=f"{_LOAD}@{DOMAIN}",
        )
        end = server.wait_until_deposited((len(rates) + 1) * messages, _LOAD)
        rates.append(messages / (end - begin))
    return rates[-1]


@contextmanager
def _load(server: Postroad, rate: float) -> Iterator[None]:
    """Send so many messages a second in the background, and see to it that they really come."""
    if not rate:
        yield
        return
    command = [sys.executable, "-m", "bench.smtp_client", server.address, str(server.smtp_port)]
    command += [f"{_LOAD}@{DOMAIN}", str(rate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            time.sleep(_SETTLE_SECONDS)
            yield
            printed, _ = process.communicate(timeout=_TIMEOUT_SECONDS)
        finally:
            process.kill()
    if process.returncode:
        raise PeerFailed(f"the load ended with {process.returncode}")
    told = json.loads(printed)
    kept = told["messages"] / told["seconds"] / rate
    if kept < _KEPT_SHARE:
        raise PeerFailed(f"only {kept:.0%} of a load of {rate:.0f} messages/s came through")


def contests() -> list[Contest]:
    """Return the rows about latency."""
    return [
        LatencyContest("latency-idle", "idle", 0.0, Goal(20, 5)),
        LatencyContest("latency-half", "half load", 0.5, Goal(150, 50)),
    ]
