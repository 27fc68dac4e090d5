"""Port 80 for a certificate authority: it fetches what proves that a name is ours, and nothing else.

Only ``/.well-known/acme-challenge/TOKEN`` (RFC 8555 §8.3) is answered, with the text for a token that is
being validated now. Every other path is 404.
"""

import asyncio
import ssl
from collections.abc import Callable

import structlog

from postroad.servers.connection import Connection
from postroad.servers.registry import Registry
from postroad.wire.http_server import HttpServer, Request, Status, head

PREFIX = "/.well-known/acme-challenge/"

log = structlog.get_logger("postroad.servers.challenge")


class ChallengeConnection(Connection[HttpServer]):
    """One HTTP client. `answer_for` gives the text for a token, None for tokens that we do not know."""

    def __init__(
        self,
        answer_for: Callable[[str], bytes | None],
        registry: Registry,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(registry, loop)
        self._answer_for = answer_for

    def open(self, now: float, secure: bool) -> HttpServer:
        """Return the machine."""
        return HttpServer(now)

    def refusal(self, reason: str) -> bytes:
        """Return what a client gets that is not admitted."""
        return head(Status.UNAVAILABLE, 0)

    def server_tls(self) -> ssl.SSLContext:
        """There is no upgrade in HTTP/1.1 as we speak it."""
        raise AssertionError("nobody can ask for it")

    def handle(self, event: Request) -> None:
        """Answer the request."""
        found = None
        if event.path.startswith(PREFIX):
            found = self._answer_for(event.path.removeprefix(PREFIX))
            log.info("challenge asked for", peer=self.peer, known=found is not None)
        if found is None:
            self.machine.answer(Status.NOT_FOUND, b"not found\n")
        else:
            self.machine.answer(Status.OK, found, "application/octet-stream")
