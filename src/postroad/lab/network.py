"""The wires of the lab: connections that may be slow, cut, or lead to another place than they say."""

import asyncio

from postroad.model import TlsPolicy
from postroad.network import AsyncNetwork, ClientTls
from postroad.ports import ConnectFailed, Stream


class LabNetwork:
    """`ports.Network` with faults. `latency_seconds` is a round trip; addresses in `black_holes`
    swallow packets, so connections to them time out; `places` leads from an (address, port) to where
    something really listens.
    """

    def __init__(self, tls: ClientTls) -> None:
        self.latency_seconds = 0.0
        self.black_holes: set[str] = set()
        self.places: dict[tuple[str, int], tuple[str, int]] = {}
        self._inner = AsyncNetwork(tls)

    async def connect(
        self, address: str, port: int, *, source: str | None = None, timeout: float
    ) -> Stream:
        """Connect. Raises `ConnectFailed`."""
        if address in self.black_holes:
            await asyncio.sleep(timeout)
            raise ConnectFailed("timed out")
        latency = self.latency_seconds
        if latency > timeout:
            await asyncio.sleep(timeout)
            raise ConnectFailed("timed out")
        if latency:
            await asyncio.sleep(latency)
        real, real_port = self.places.get((address, port), (address, port))
        stream = await self._inner.connect(real, real_port, source=source, timeout=timeout)
        return LateStream(stream, latency) if latency else stream


class LateStream:
    """A stream whose answers come a round trip late."""

    def __init__(self, inner: Stream, latency_seconds: float) -> None:
        self._inner = inner
        self._latency = latency_seconds
        self._asked_at: float | None = 0.0

    @property
    def tls(self) -> str | None:
        """See `ports.Stream`."""
        return self._inner.tls

    @property
    def source(self) -> str:
        """See `ports.Stream`."""
        return self._inner.source

    @property
    def chain(self) -> tuple[bytes, ...]:
        """See `ports.Stream`."""
        return self._inner.chain

    async def receive(self, timeout: float) -> bytes:
        """Return the next bytes, not sooner than a round trip after the last `send`."""
        now = asyncio.get_running_loop().time
        until = now() + timeout
        data = await self._inner.receive(timeout)
        if self._asked_at is not None:
            late = self._asked_at + self._latency
            self._asked_at = None
            if late > until:
                await asyncio.sleep(max(0.0, until - now()))
                raise TimeoutError
            await asyncio.sleep(max(0.0, late - now()))
        return data

    async def send(self, data: bytes, timeout: float) -> None:
        """Send at once."""
        self._asked_at = asyncio.get_running_loop().time()
        await self._inner.send(data, timeout)

    async def start_tls(self, policy: TlsPolicy, server_name: str, timeout: float) -> None:
        """Upgrade: one round trip with TLS 1.3. Raises `TlsFailed`."""
        await asyncio.sleep(self._latency)
        await self._inner.start_tls(policy, server_name, timeout)

    def close(self) -> None:
        """Close."""
        self._inner.close()
