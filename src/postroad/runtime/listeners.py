"""The ports of a server: bound first (perhaps as root), served later, served anew after a reload.

The listening sockets are kept apart from the asyncio servers on them, which work on duplicates. So a
reload may put another server (another TLS context) on the same socket, and no connection that waits in
the kernel's queue, and none that is open, is lost.
"""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from postroad.runtime.config import AcmeMode, Config, Endpoint
from postroad.runtime.config.server import IMPLICIT_TLS_SERVICES

LOCAL = "local"
ACME = "acme"

ProtocolFactory: TypeAlias = Callable[[], asyncio.Protocol]
_Key: TypeAlias = tuple[str, str]  # service, endpoint as text or path

_HIGH_PORTS = {80: 8080, 25: 2525, 587: 5587, 465: 4465, 110: 1110, 995: 9995}


class CannotListen(Exception):
    """Some ports cannot be bound; `problems` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Bound(Struct):
    service: str
    sock: socket.socket
    path: Path | None = None
    server: asyncio.AbstractServer | None = None

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.sock.getsockname()[:2]
        return host, port


class Listeners:
    """All listening sockets of a process."""

    def __init__(self) -> None:
        self._bound: dict[_Key, list[_Bound]] = {}

    @classmethod
    def bind(cls, config: Config) -> "Listeners":
        """Bind every port of the configuration. Raises `CannotListen`, and then none is bound."""
        listeners = cls()
        listeners.rebind(config)
        return listeners

    @property
    def addresses(self) -> dict[str, list[tuple[str, int]]]:
        """Host and port of what is bound, by service."""
        found: dict[str, list[tuple[str, int]]] = {}
        for each in self._all():
            if each.path is None:
                found.setdefault(each.service, []).append(each.address)
        return found

    @property
    def local_socket(self) -> Path | None:
        """The path of the sendmail command's socket."""
        return next((each.path for each in self._all() if each.path is not None), None)

    def rebind(self, config: Config) -> None:
        """Bind what `config` has and we have not, then close what it no longer has.

        Raises `CannotListen`, and then nothing was changed.
        """
        wanted = _wanted(config)
        fresh: dict[_Key, list[_Bound]] = {}
        problems: list[str] = []
        for key, make in wanted.items():
            if key in self._bound:
                continue
            try:
                fresh[key] = make()
            except OSError as error:
                problems.append(_explain(key, error))
        if problems:
            for bound in fresh.values():
                _close(bound)
            raise CannotListen(problems)
        for key in self._bound.keys() - wanted.keys():
            _close(self._bound.pop(key))
        self._bound.update(fresh)

    async def serve(
        self,
        factories: dict[str, ProtocolFactory],
        tls: ssl.SSLContext | None,
        backlog: int,
        handshake_seconds: float,
    ) -> None:
        """Take connections on all sockets; where they are served already, by new servers."""
        loop = asyncio.get_running_loop()
        for each in self._all():
            earlier = each.server
            context = tls if each.service in IMPLICIT_TLS_SERVICES else None
            factory = factories[each.service]
            if each.path is not None:
                each.server = await loop.create_unix_server(
                    factory, sock=each.sock.dup(), backlog=backlog
                )
            else:
                each.server = await loop.create_server(
                    factory,
                    sock=each.sock.dup(),
                    backlog=backlog,
                    ssl=context,
                    ssl_handshake_timeout=handshake_seconds if context else None,
                )
            if earlier is not None:
                earlier.close()

    def close(self) -> None:
        """Take no more connections; those that are open stay."""
        for bound in self._bound.values():
            _close(bound)
        self._bound.clear()

    def _all(self) -> list[_Bound]:
        return [each for bound in self._bound.values() for each in bound]


def _wanted(config: Config) -> dict[_Key, Callable[[], list[_Bound]]]:
    wanted: dict[_Key, Callable[[], list[_Bound]]] = {}
    for service, endpoints in config.listen.services.items():
        if service in IMPLICIT_TLS_SERVICES and config.certificate_files is None:
            continue
        if service == ACME and config.tls.acme is not AcmeMode.HTTP_01:
            continue
        for number, endpoint in enumerate(endpoints):
            # Port 0 stands for another port each time it is written.
            suffix = f"#{number}" if endpoint.port == 0 else ""
            wanted[service, f"{endpoint}{suffix}"] = _tcp(service, endpoint, config.listen.backlog)
    if config.listen.local is not None:
        path, mode = config.listen.local, int(config.listen.local_mode, 8)
        backlog = config.listen.backlog
        wanted[LOCAL, str(path)] = lambda: [_bind_path(path, mode, backlog)]
    return wanted


def _tcp(service: str, endpoint: Endpoint, backlog: int) -> Callable[[], list[_Bound]]:
    def make() -> list[_Bound]:
        if endpoint.host != "*":
            return [_Bound(service, _bind_tcp(endpoint.host, endpoint.port, backlog))]
        first = _bind_tcp("0.0.0.0", endpoint.port, backlog)
        bound = [_Bound(service, first)]
        try:
            bound.append(_Bound(service, _bind_tcp("::", first.getsockname()[1], backlog)))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                _close(bound)
                raise  # a machine without IPv6 is no reason to fail; anything else is
        return bound

    return make


def _bind_tcp(host: str, port: int, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        # At once: with SO_REUSEADDR, Linux refuses a port that is taken only here.
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_path(path: Path, mode: int, backlog: int) -> _Bound:
    _make_passable(path.parent)
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(str(path))
        path.chmod(mode)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return _Bound(LOCAL, sock, path)


def _make_passable(directory: Path) -> None:
    """Make a directory that is not there yet, for others to pass, whatever our umask takes away."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(0o755)


def _remove_stale(path: Path) -> None:
    """A socket that a killed server left behind may go; one that answers may not."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise OSError(errno.EEXIST, "there is a file in its place that is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _close(bound: list[_Bound]) -> None:
    for each in bound:
        if each.server is not None:
            each.server.close()
        each.sock.close()
        if each.path is not None:
            with contextlib.suppress(OSError):
                each.path.unlink()


def _explain(key: _Key, error: OSError) -> str:
    service, where = key
    reason = (error.strerror or str(error)).lower()
    text = f"listen.{service}: {where.partition('#')[0]}: {reason}"
    if error.errno == errno.EADDRINUSE:
        return f"{text}; another program has it (see: ss -ltnp)"
    if error.errno in (errno.EACCES, errno.EPERM) and service != LOCAL:
        port = int(where.partition("#")[0].rpartition(":")[2])
        other = _HIGH_PORTS.get(port, port + 10_000)
        return (
            f"{text}; start as root with server.user set, or with CAP_NET_BIND_SERVICE "
            f"(postroad quickstart --systemd), or listen on a port like {other}"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{text}; this machine has no such address"
    return text
