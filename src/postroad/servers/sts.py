"""Serves MTA-STS policies over HTTPS (RFC 8461 §3.3): one file per domain, and nothing else."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from postroad.servers.registry import Registry
from postroad.servers.small_file import SmallFileConnection
from postroad.wire.http import HttpRequest

PATH = "/.well-known/mta-sts.txt"
_PREFIX = "mta-sts."

Policies: TypeAlias = Callable[[str], str | None]
"""From a domain (lower-case A-labels) to its policy file; None: it has none."""


class StsConnection(SmallFileConnection):
    """One client, over TLS."""

    def __init__(
        self, policies: Policies, registry: Registry, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(registry, loop)
        self._policies = policies

    def find(self, request: HttpRequest) -> str | None:
        """Return the policy of the domain whose host is asked for."""
        if request.target != PATH or not request.host.startswith(_PREFIX):
            return None
        return self._policies(request.host.removeprefix(_PREFIX))
