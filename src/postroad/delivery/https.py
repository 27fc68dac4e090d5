"""One exchange by HTTPS over the ports of delivery: verified TLS, no redirects, bounded.

The whole of it (addresses, handshakes, reading) has one deadline: a server that trickles gains nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

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
from postroad.wire.http import (
    HttpBroken,
    HttpResponse,
    HttpsAddress,
    ResponseReader,
    get_request,
    post_request,
)

_MAX_ADDRESSES = 4
_PORT = 443


class FetchFailed(Exception):
    """No response that serves; the message says why. `tls`: the server could not prove who it is."""

    def __init__(self, reason: str, *, tls: bool = False) -> None:
        super().__init__(printable(reason))
        self.tls = tls


class FetchSettings(Struct, frozen=True):
    """Limits of one exchange; `port` is that of `get`. `allow_private` lets addresses of this network
    pass, for laboratories.
    """

    port: int = _PORT
    max_octets: int = 64 * 1024
    total_seconds: float = 60.0
    allow_private: bool = False


class Fetcher:
    """Fetches files, and brings some."""

    def __init__(
        self, resolver: Resolver, network: Network, clock: Clock, settings: FetchSettings
    ) -> None:
        self._resolver = resolver
        self._network = network
        self._clock = clock
        self.settings = settings

    async def get(self, host: str, path: str, media_type: str) -> bytes:
        """Return the file at ``https://host/path``. Raises `FetchFailed`, also for any status but 200
        and any other media type.
        """
        request = get_request(host, path, media_type)
        reader = ResponseReader(self.settings.max_octets)
        response = await self._exchange(host, self.settings.port, request, reader)
        return self._body(response, host, media_type)

    async def post(
        self,
        place: HttpsAddress,
        body: bytes,
        media_type: str,
        *,
        accept: str = "*/*",
        authorization: str = "",
        head_only: bool = False,
        fields: Mapping[str, str] = MappingProxyType({}),
    ) -> HttpResponse:
        """Send `body` and return the response, whatever its status; `head_only`: without its body;
        `fields` are further header fields of the request.

        Raises `FetchFailed` where there is none. What was sent may have been taken all the same.
        """
        request = post_request(
            place.authority,
            place.target,
            body,
            media_type,
            accept=accept,
            authorization=authorization,
            fields=fields,
        )
        reader = ResponseReader(self.settings.max_octets, head_only=head_only)
        return await self._exchange(place.host, place.port, request, reader)

    async def _exchange(
        self, host: str, port: int, request: bytes, reader: ResponseReader
    ) -> HttpResponse:
        until = self._clock.monotonic() + self.settings.total_seconds
        failure = FetchFailed(f"{host} has no address")
        for address in await self._addresses(host):
            try:
                stream = await self._network.connect(address, port, timeout=self._left(until))
            except ConnectFailed as error:
                failure = FetchFailed(f"{host} [{address}]: {error.reason}")
                continue
            try:
                return await self._ask(stream, host, request, reader, until)
            except TlsFailed as error:
                failure = FetchFailed(f"{host} [{address}]: {error.reason}", tls=True)
                continue
            except (HttpBroken, TimeoutError) as error:
                reason = str(error) or f"not done within {self.settings.total_seconds:g} s"
                raise FetchFailed(f"{host}: {reason}") from error
            finally:
                stream.close()
        raise failure

    def _body(self, response: HttpResponse, host: str, media_type: str) -> bytes:
        if response.status != 200:
            # RFC 8461 §3.3: redirects are not followed.
            raise FetchFailed(f"{host}: HTTP status {response.status}")
        if response.media_type != media_type:
            shown = response.media_type[:60] or "nothing"
            raise FetchFailed(f"{host}: media type {shown}, not {media_type}")
        return response.body

    async def _ask(
        self, stream: Stream, host: str, request: bytes, reader: ResponseReader, until: float
    ) -> HttpResponse:
        await stream.start_tls(TlsPolicy.VERIFY, host, self._left(until))
        await stream.send(request, self._left(until))
        while True:
            response = reader.feed(await stream.receive(self._left(until)))
            if response is not None:
                return response

    def _left(self, until: float) -> float:
        left = until - self._clock.monotonic()
        if left <= 0:
            raise FetchFailed(f"not done within {self.settings.total_seconds:g} s")
        return left

    async def _addresses(self, host: str) -> list[str]:
        """A and AAAA, without those that nobody should lead us to; an IPv4 address is its own."""
        found: list[str] = []
        problem = ""
        if host.replace(".", "").isdigit():
            refused = refusal(host, allow_private=self.settings.allow_private)
            if refused is not None:
                raise FetchFailed(refused)
            return [host]
        for rdtype in ("A", "AAAA"):
            answer = await self._resolver.lookup(host, rdtype)
            if answer.status is AnswerStatus.FAILED:
                problem = f"look-up of {host} failed ({answer.detail})"
            for address in answer.records:
                refused = refusal(address, allow_private=self.settings.allow_private)
                if refused is None:
                    found.append(address)
                else:
                    problem = f"{host}: {refused}"
        if not found and problem:
            raise FetchFailed(problem)
        return found[:_MAX_ADDRESSES]
