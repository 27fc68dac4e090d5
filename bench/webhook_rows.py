"""A row of webhooks: what a receiver that is down costs deliveries. The peer is the same server without
any webhook.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack

from bench.contest import Contest, Row, Scale, Side
from bench.figures import Goal
from bench.ours import DOMAIN, POLL_SECONDS, Postroad
from peers.smtp_tools import SmtpSink, smtp_source
from peers.tools import LOOPBACK

_MESSAGES = 6000
_AT_REST_SECONDS = 2
_SESSIONS = 20
_PATIENCE_SECONDS = 120


class DeadReceiver(Contest):
    """Messages a second that are submitted and relayed, with a webhook that nobody answers, and without.

    Only mail by submission is told of, so a plain load at the MX would measure nothing.
    """

    def __init__(self) -> None:
        self.name = "webhook-dead"
        title = "relay of submitted mail, a webhook's receiver down, 4 KiB"
        goal = Goal(must=0.95)
        self.rows = (Row(self.name, title, "messages/s", "without webhook", goal=goal),)

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, Side]:
        """Start both."""
        return self._side(stack, scale, webhook=True), self._side(stack, scale, webhook=False)

    def _side(self, stack: ExitStack, scale: Scale, *, webhook: bool) -> Side:
        sink = stack.enter_context(SmtpSink())
        server = Postroad(
            aliases={"relay": "user@sink.test"},
            routes={"sink.test": (sink.address, sink.port)},
            login=False,
            webhook=webhook,
        )
        stack.enter_context(server).start()
        messages = scale.of(_MESSAGES, least=_SESSIONS)

        def run() -> Sequence[float]:
            wanted = sink.count + messages
            begin = time.perf_counter()
            smtp_source(
                LOOPBACK,
                server.submission_port,
                sessions=_SESSIONS,
                messages=messages,
                length_bytes=4096,
                recipient=f"relay@{DOMAIN}",
            )
            deadline = begin + _PATIENCE_SECONDS
            while sink.count < wanted:
                if time.perf_counter() > deadline:
                    raise TimeoutError(f"{wanted - sink.count} messages did not arrive")
                time.sleep(POLL_SECONDS)
            rate = messages / (time.perf_counter() - begin)
            if webhook and not server.untold():
                raise AssertionError("the webhook was not told of anything")
            return (rate,)

        run()  # the receiver is down for a while already, and what may wait for it does
        time.sleep(_AT_REST_SECONDS)
        return run


def contests() -> list[Contest]:
    """Return the row about webhooks."""
    return [DeadReceiver()]
