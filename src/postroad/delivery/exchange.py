"""One exchange with a web server over the ports of delivery: verified TLS, guarded addresses, bounded.

The whole of it (addresses, handshakes, reading) has one deadline: a server that trickles gains nothing.
Each address that a name leads to is judged by `guard` before anything is opened, and what is opened is
that address and no other: a name that changes its mind meanwhile gains nothing.
"""

from postroad.delivery.guard import refusal
from postroad.delivery.mx import printable
from postroad.model import TlsPolicy
from postroad.ports import (
    AnswerStatus,
    Clock,
    ConnectFailed,
    Network,
    Resolver,
    Stream,
    TlsFailed,
)
from postroad.wire.http import HttpBroken, HttpResponse, ResponseReader

_MAX_ADDRESSES = 4


class FetchFailed(Exception):
    """No response that serves; the message says why. `tls`: the server could not prove who it is."""

    def __init__(self, reason: str, *, tls: bool = False) -> None:
        super().__init__(printable(reason))
        self.tls = tls


class Exchanges:
    """Asks servers. `total_seconds` is what one deadline gives; `allow_private` lets addresses of this
    network pass, for laboratories.
    """

    def __init__(
        self,
        resolver: Resolver,
        network: Network,
        clock: Clock,
        *,
        total_seconds: float,
        allow_private: bool,
    ) -> None:
        self._resolver = resolver
        self._network = network
        self._clock = clock
        self._total_seconds = total_seconds
        self._allow_private = allow_private

    def deadline(self) -> float:
        """Return until when what begins now may take, on the monotonic clock."""
        return self._clock.monotonic() + self._total_seconds

    async def ask(
        self,
        host: str,
        port: int,
        request: bytes,
        reader: ResponseReader,
        until: float,
        *,
        secure: bool = True,
    ) -> HttpResponse:
        """Return the response, whatever its status. Raises `FetchFailed` where there is none."""
        failure = FetchFailed(f"{host} has no address")
        for address in await self._addresses(host):
            try:
                stream = await self._network.connect(address, port, timeout=self._left(until))
            except ConnectFailed as error:
                failure = FetchFailed(f"{host} [{address}]: {error.reason}")
                continue
            try:
                if secure:
                    await stream.start_tls(TlsPolicy.VERIFY, host, self._left(until))
                return await self._talk(stream, request, reader, until)
            except TlsFailed as error:
                failure = FetchFailed(f"{host} [{address}]: {error.reason}", tls=True)
            except (HttpBroken, TimeoutError) as error:
                reason = str(error) or f"not done within {self._total_seconds:g} s"
                raise FetchFailed(f"{host}: {reason}") from error
            finally:
                stream.close()
        raise failure

    async def _talk(
        self, stream: Stream, request: bytes, reader: ResponseReader, until: float
    ) -> HttpResponse:
        await stream.send(request, self._left(until))
        while True:
            response = reader.feed(await stream.receive(self._left(until)))
            if response is not None:
                return response

    def _left(self, until: float) -> float:
        left = until - self._clock.monotonic()
        if left <= 0:
            raise FetchFailed(f"not done within {self._total_seconds:g} s")
        return left

    async def _addresses(self, host: str) -> list[str]:
        """A and AAAA, without those that nobody should lead us to; an IPv4 address is its own."""
        found: list[str] = []
        problem = ""
        if host.replace(".", "").isdigit():
            refused = refusal(host, allow_private=self._allow_private)
            if refused is not None:
                raise FetchFailed(refused)
            return [host]
        for rdtype in ("A", "AAAA"):
            answer = await self._resolver.lookup(host, rdtype)
            if answer.status is AnswerStatus.FAILED:
                problem = f"look-up of {host} failed ({answer.detail})"
            for address in answer.records:
                refused = refusal(address, allow_private=self._allow_private)
                if refused is None:
                    found.append(address)
                else:
                    problem = f"{host}: {refused}"
        if not found and problem:
            raise FetchFailed(problem)
        return found[:_MAX_ADDRESSES]
