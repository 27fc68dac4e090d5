"""The web server of the lab: MTA-STS policies of its domains, each under its own certificate."""

import asyncio
import errno
import ssl
from typing import Any

from postroad.lab.ca import Authority
from postroad.network import ServerTls
from postroad.servers.registry import Registry
from postroad.servers.sts import StsConnection

_PORTS = (443, 8443, 0)
_GRACE_SECONDS = 1.0


class PolicyServer:
    """Serves `files`, policy files by domain; an async context manager.

    `port` is where it listens: the usual one where that may be bound. `asked` are the names that clients
    began a handshake for. Hosts in `untrusted` show a certificate for another name.
    """

    def __init__(self, authority: Authority, address: str) -> None:
        self.files: dict[str, str] = {}
        self.untrusted: set[str] = set()
        self.asked: list[str] = []
        self.address = address
        self.port = 0
        self._authority = authority
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._registry = Registry(max_connections=100)
        self._server: asyncio.AbstractServer | None = None

    async def __aenter__(self) -> "PolicyServer":
        loop = asyncio.get_running_loop()
        context = self._context("nobody.lab")
        context.sni_callback = self._choose
        for port in _PORTS:
            try:
                server = await loop.create_server(
                    lambda: StsConnection(self.files.get, self._registry, loop),
                    self.address,
                    port,
                    ssl=context,
                )
            except OSError as error:
                if port and error.errno in (errno.EACCES, errno.EADDRINUSE):
                    continue
                raise
            self._server = server
            self.port = server.sockets[0].getsockname()[1]
            break
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        await self._registry.shut_down(_GRACE_SECONDS)

    def _choose(self, connection: Any, name: str | None, _: ssl.SSLContext) -> None:
        """Called by ssl: show the certificate of the host that is asked for."""
        host = (name or "nobody.lab").lower()
        self.asked.append(host)
        connection.context = self._context("nobody.lab" if host in self.untrusted else host)

    def _context(self, host: str) -> ssl.SSLContext:
        context = self._contexts.get(host)
        if context is None:
            leaf = self._authority.issue(host)
            context = self._contexts[host] = ServerTls(leaf.certificate, leaf.key).context
        return context
