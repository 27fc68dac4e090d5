"""Connections that we open."""

from typing import Protocol

from postroad.model import TlsFailure, TlsPolicy


class ConnectFailed(Exception):
    """No connection. `reason` is in an operator's words: ``"connection refused"``, ``"timed out"``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TlsFailed(Exception):
    """The TLS handshake failed, or the certificate does not match; `reason` says how, and `failure`
    as what TLS reports count it.
    """

    def __init__(self, reason: str, failure: TlsFailure = TlsFailure.VALIDATION) -> None:
        super().__init__(reason)
        self.reason = reason
        self.failure = failure


class Stream(Protocol):
    """A connection, as bytes in both directions."""

    @property
    def tls(self) -> str | None:
        """Protocol version and cipher (``"TLSv1.3 TLS_AES_256_GCM_SHA384"``), None while in clear."""
        ...

    @property
    def source(self) -> str:
        """Our own IP address on this connection."""
        ...

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificates that the peer showed (DER, its own first), verified or not; none in clear."""
        ...

    async def receive(self, timeout: float) -> bytes:
        """Return the next bytes, ``b""`` when the peer closed or broke the connection.

        Raises `TimeoutError` after `timeout` seconds.
        """
        ...

    async def send(self, data: bytes, timeout: float) -> None:
        """Send; returns at once while the peer keeps up, else waits. Raises `TimeoutError`; a broken
        connection shows in `receive`.
        """
        ...

    async def start_tls(self, policy: TlsPolicy, server_name: str, timeout: float) -> None:
        """Upgrade. Verifies the certificate for `server_name` only where `policy` says so.

        Raises `TlsFailed`; the stream is then closed.
        """
        ...

    def close(self) -> None:
        """Close; safe to call more than once."""
        ...


class Network(Protocol):
    """Opens connections."""

    async def connect(
        self, address: str, port: int, *, source: str | None = None, timeout: float
    ) -> Stream:
        """Connect to an IP address, from the IP address `source` if given; or to a UNIX socket of this
        machine by its path (``/run/…``), whatever the port. Raises `ConnectFailed`.
        """
        ...
