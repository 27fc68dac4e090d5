"""Port 80 for a certificate authority: it fetches what proves that a name is ours, and nothing else.

Only ``/.well-known/acme-challenge/TOKEN`` (RFC 8555 §8.3) is answered, with the text for a token that is
being validated now. Every other path is 404.
"""

import asyncio
from collections.abc import Callable

import structlog

from postroad.servers.registry import Registry
from postroad.servers.small_file import SmallFileConnection
from postroad.wire.http import HttpRequest

PREFIX = "/.well-known/acme-challenge/"

log = structlog.get_logger("postroad.servers.challenge")


class ChallengeConnection(SmallFileConnection):
    """One HTTP client. `answer_for` gives the text for a token, None for tokens that we do not know."""

    def __init__(
        self,
        answer_for: Callable[[str], bytes | None],
        registry: Registry,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(registry, loop)
        self._answer_for = answer_for

    def find(self, request: HttpRequest) -> str | None:
        """Return the text for the token in the path."""
        if not request.target.startswith(PREFIX):
            return None
        found = self._answer_for(request.target.removeprefix(PREFIX))
        log.info("challenge asked for", peer=self.peer, known=found is not None)
        return None if found is None else found.decode("ascii", "replace")
