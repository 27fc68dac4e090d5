"""Connections that we open, on an `asyncio.Protocol` of our own.

One future and one buffer per connection; time limits cost no timer per call: one timer wakes up now
and then and looks whether a limit has passed. Whatever breaks the connection shows as ``b""`` in
`AsyncStream.receive`.
"""

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
from pathlib import Path
from typing import cast

from postroad.model import TlsFailure, TlsPolicy
from postroad.network.chain import peer_chain
from postroad.network.tls import ClientTls, TlsFilesInvalid, describe
from postroad.ports import ConnectFailed, Stream, TlsFailed

# A peer that talks more than we read is stopped by TCP beyond this.
_RECEIVE_LIMIT_OCTETS = 256 * 1024
# What waits for the peer to read it; large enough for a whole small message in one write.
_SEND_HIGH_WATER_OCTETS = 256 * 1024
# How long a closed connection may still flush what was sent (the QUIT).
_LINGER_SECONDS = 5.0
_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.ETIMEDOUT: "timed out",
    errno.ENETUNREACH: "network is unreachable",
    errno.EHOSTUNREACH: "no route to host",
    errno.EACCES: "not permitted here (firewall?)",
    errno.EPERM: "not permitted here (firewall?)",
    errno.EMFILE: "no file descriptors left in this process",
    errno.ENFILE: "no file descriptors left on this machine",
    errno.EAFNOSUPPORT: "this machine has no such address family",
}
# X509_V_ERR_CERT_NOT_YET_VALID, _CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH
_FAILURES = {
    9: TlsFailure.EXPIRED,
    10: TlsFailure.EXPIRED,
    62: TlsFailure.HOST_MISMATCH,
    64: TlsFailure.HOST_MISMATCH,
}
# The platform's number for the constant that Python does not name before 3.12.
_IP_BIND_ADDRESS_NO_PORT = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24)


class AsyncStream(asyncio.Protocol):
    """`ports.Stream` over an asyncio transport; made by `AsyncNetwork.connect`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tls: ClientTls) -> None:
        self.tls: str | None = None
        self.source = ""
        self._loop = loop
        self._contexts = tls
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._reading_paused = False
        self._closed = False
        self._waiter: asyncio.Future[bytes] | None = None
        self._wait_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._writing_paused = False
        self._drain: asyncio.Future[None] | None = None
        self._linger: asyncio.TimerHandle | None = None

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificates that the peer showed (DER, its own first); none in clear."""
        if self.tls is None or self._transport is None:
            return ()
        return peer_chain(self._transport.get_extra_info("ssl_object"))

    async def receive(self, timeout: float) -> bytes:
        """Return the next bytes, ``b""`` when the peer closed or broke the connection.

        Raises `TimeoutError`.
        """
        buffer = self._buffer
        if buffer:
            waiting = bytes(buffer)
            buffer.clear()
            if self._reading_paused:
                self._reading_paused = False
                if self._transport is not None:
                    self._transport.resume_reading()
            return waiting
        if self._closed:
            return b""
        assert self._waiter is None, "two readers on one stream"
        waiter = self._waiter = self._loop.create_future()
        until = self._wait_until = self._loop.time() + timeout
        if self._timer is None or self._timer_at > until:
            self._arm(until)
        try:
            data: bytes = await waiter
            return data
        finally:
            self._waiter = None

    async def send(self, data: bytes, timeout: float) -> None:
        """Send; waits only while the peer does not keep up. Raises `TimeoutError`."""
        if self._closed or self._transport is None:
            return
        self._transport.write(data)
        if self._writing_paused:
            if self._drain is None:
                self._drain = self._loop.create_future()
            async with asyncio.timeout(timeout):
                # Shielded, or a time-out would cancel what another sender also waits for.
                await asyncio.shield(self._drain)

    async def start_tls(self, policy: TlsPolicy, server_name: str, timeout: float) -> None:
        """Upgrade. Raises `TlsFailed`; the stream is then closed."""
        try:
            await self._start_tls(policy, server_name, timeout)
        except BaseException:
            self._abort()
            raise

    async def _start_tls(self, policy: TlsPolicy, server_name: str, timeout: float) -> None:
        if self._buffer:
            # RFC 3207 §6, CVE-2011-0411: what came in clear must not pass for something secured.
            raise TlsFailed("the server sent bytes in clear behind its consent to TLS")
        transport = self._transport
        if self._closed or transport is None:
            raise TlsFailed("the connection is closed")
        try:
            context = self._contexts.context(policy)
            secured = await self._loop.start_tls(
                transport,
                self,
                context,
                server_hostname=_server_name(server_name, context),
                ssl_handshake_timeout=timeout,
            )
        except ssl.SSLCertVerificationError as error:
            raise TlsFailed(
                f"certificate not valid for {server_name}: {error.verify_message}",
                _FAILURES.get(error.verify_code, TlsFailure.NOT_TRUSTED),
            ) from error
        except ssl.SSLError as error:
            raise TlsFailed(f"TLS handshake failed: {_ssl_reason(error)}") from error
        except TimeoutError as error:
            raise TlsFailed(f"TLS handshake timed out after {timeout:g} s") from error
        except ConnectionAbortedError as error:
            text = str(error)
            if "handshake" in text:
                raise TlsFailed(f"TLS handshake timed out after {timeout:g} s") from error
            raise TlsFailed("the server closed the connection during the TLS handshake") from error
        except OSError as error:
            raise TlsFailed("the server closed the connection during the TLS handshake") from error
        except (ValueError, TlsFilesInvalid) as error:
            raise TlsFailed(str(error)) from error
        if secured is None:
            raise TlsFailed("the server closed the connection during the TLS handshake")
        self._transport = secured
        secured.set_write_buffer_limits(high=_SEND_HIGH_WATER_OCTETS)
        self.tls = describe(secured.get_extra_info("ssl_object"))

    def close(self) -> None:
        """Close; what was sent is still flushed for a moment."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        unsent = transport.get_write_buffer_size() > 0
        transport.close()
        if unsent or self.tls is not None:
            self._linger = self._loop.call_later(_LINGER_SECONDS, transport.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_SEND_HIGH_WATER_OCTETS)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(data)
            return
        self._buffer += data
        if len(self._buffer) > _RECEIVE_LIMIT_OCTETS and not self._reading_paused:
            self._reading_paused = True
            assert self._transport is not None
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        self._end()

    def eof_received(self) -> bool:
        """Called by asyncio. SMTP has no half-closed connections, so the transport closes."""
        self._end()
        return False

    def pause_writing(self) -> None:
        """Called by asyncio."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """Called by asyncio."""
        self._writing_paused = False
        self._release_senders()

    def _release_senders(self) -> None:
        drain, self._drain = self._drain, None
        if drain is not None and not drain.done():
            drain.set_result(None)

    def _end(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(b"")
        self._release_senders()

    def _abort(self) -> None:
        self._buffer.clear()
        if self._transport is not None:
            self._transport.abort()
        self._end()

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._loop.time() + 0.001 >= self._wait_until:
            waiter.set_exception(TimeoutError())
        else:
            self._arm(self._wait_until)


class AsyncNetwork:
    """`ports.Network` on the running event loop."""

    def __init__(self, tls: ClientTls | None = None) -> None:
        self._tls = tls or ClientTls()

    async def connect(
        self, address: str, port: int, *, source: str | None = None, timeout: float
    ) -> Stream:
        """Connect to an IP address, or to a path. Raises `ConnectFailed`."""
        if address.startswith("/"):
            return await self.connect_path(Path(address), timeout=timeout)
        loop = asyncio.get_running_loop()
        stream = AsyncStream(loop, self._tls)
        sock = _open_socket(address, source)
        try:
            async with asyncio.timeout(timeout):
                await loop.sock_connect(sock, (address, port))
            stream.source = sock.getsockname()[0]
            if stream.source == address and sock.getsockname()[1] == port:
                # TCP's simultaneous open with itself, on a free ephemeral port of loopback.
                raise ConnectionRefusedError(errno.ECONNREFUSED, "connected to itself")
            await loop.create_connection(lambda: stream, sock=sock)
        except TimeoutError as error:
            sock.close()
            raise ConnectFailed("timed out") from error
        except OSError as error:
            sock.close()
            raise ConnectFailed(_reason(error)) from error
        except BaseException:
            sock.close()
            raise
        return stream

    async def connect_path(self, path: Path, *, timeout: float) -> Stream:
        """Connect to a UNIX socket of this machine. Raises `ConnectFailed`."""
        loop = asyncio.get_running_loop()
        stream = AsyncStream(loop, self._tls)
        try:
            async with asyncio.timeout(timeout):
                await loop.create_unix_connection(lambda: stream, str(path))
        except TimeoutError as error:
            raise ConnectFailed("timed out") from error
        except OSError as error:
            raise ConnectFailed(_reason(error)) from error
        return stream


def _open_socket(address: str, source: str | None) -> socket.socket:
    try:
        version = ipaddress.ip_address(address).version
    except ValueError as error:
        raise ConnectFailed(f"{address!r} is not an IP address") from error
    try:
        sock = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET)
    except OSError as error:
        raise ConnectFailed(_reason(error)) from error
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source is not None:
            if version == 4 and os.name == "posix":
                # Leaves the choice of port to connect(), which may share it between peers.
                sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((source, 0))
    except OSError as error:
        sock.close()
        raise ConnectFailed(f"our address {source} cannot be used: {_reason(error)}") from error
    return sock


def _reason(error: OSError) -> str:
    known = _REASONS.get(error.errno or 0)
    return known or (os.strerror(error.errno).lower() if error.errno else str(error))


def _ssl_reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")


def _server_name(name: str, context: ssl.SSLContext) -> str | None:
    """SNI for `name`; none where it cannot be one and nobody checks it."""
    if context.check_hostname:
        return name
    try:
        name.encode("idna")
    except UnicodeError:
        return None
    return name or None
