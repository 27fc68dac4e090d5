"""Who is connected: limits in total and per client, and an orderly end for all.

Both limits bound memory and descriptors, whatever clients do (half-open TLS, slow senders). A client
over a limit is told so at once and can come back.
"""

import asyncio
from collections import Counter
from typing import Protocol

from postroad.model import client_key


class Open(Protocol):
    """A connection, as the registry sees it."""

    peer: str

    def shut_down(self) -> None:
        """Let what is in flight end, then close."""
        ...

    def abort(self) -> None:
        """Cut the connection."""
        ...


class Registry:
    """The open connections of one server.

    `max_per_client` counts IPv6 clients by their /64, which is what one customer gets.
    `handshake_seconds` is how long a client may take to change over to TLS.
    """

    def __init__(
        self,
        *,
        max_connections: int = 10_000,
        max_per_client: int = 100,
        handshake_seconds: float = 30.0,
    ) -> None:
        self.max_connections = max_connections
        self.max_per_client = max_per_client
        self.handshake_seconds = handshake_seconds
        self.admitted = 0
        self.refused = 0
        self.secured = 0  # with TLS
        self._open: set[Open] = set()
        self._clients: Counter[str] = Counter()
        self._closing = False
        self._empty: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Open) -> str | None:
        """Take a connection in, or return why not, in words for the client."""
        refusal = self._admit(connection)
        if refusal is not None:
            self.refused += 1
        return refusal

    def _admit(self, connection: Open) -> str | None:
        if self._closing:
            return "shutting down, try again later"
        if len(self._open) >= self.max_connections:
            return "too many connections, try again later"
        client = client_key(connection.peer)
        if client and self._clients[client] >= self.max_per_client:
            return "too many connections from your address, try again later"
        self._open.add(connection)
        self._clients[client] += 1
        self.admitted += 1
        return None

    def forget(self, connection: Open) -> None:
        """A connection is over."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        client = client_key(connection.peer)
        self._clients[client] -= 1
        if not self._clients[client]:
            del self._clients[client]
        if self._empty is not None and not self._open:
            self._empty.set()

    async def shut_down(self, grace_seconds: float) -> int:
        """Ask all to end, wait, cut the rest; return how many had to be cut."""
        self._closing = True
        self._empty = asyncio.Event()
        for connection in list(self._open):
            connection.shut_down()
        if self._open:
            try:
                await asyncio.wait_for(self._empty.wait(), grace_seconds)
            except TimeoutError:
                left = list(self._open)
                for connection in left:
                    connection.abort()
                return len(left)
        return 0
