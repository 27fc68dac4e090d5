"""Files and posts by HTTPS: one `exchange` each, no redirects, bounded."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from postroad.delivery.exchange import Exchanges, FetchFailed
from postroad.ports import Clock, Network, Resolver
from postroad.wire.http import (
    HttpResponse,
    HttpsAddress,
    ResponseReader,
    get_request,
    post_request,
)

_PORT = 443


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
        self._exchanges = Exchanges(
            resolver,
            network,
            clock,
            total_seconds=settings.total_seconds,
            allow_private=settings.allow_private,
        )
        self.settings = settings

    async def get(self, host: str, path: str, media_type: str) -> bytes:
        """Return the file at ``https://host/path``. Raises `FetchFailed`, also for any status but 200
        and any other media type.
        """
        request = get_request(host, path, media_type)
        reader = ResponseReader(self.settings.max_octets)
        response = await self._ask(host, self.settings.port, request, reader)
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
        return await self._ask(place.host, place.port, request, reader)

    def _body(self, response: HttpResponse, host: str, media_type: str) -> bytes:
        if response.status != 200:
            # RFC 8461 §3.3: redirects are not followed.
            raise FetchFailed(f"{host}: HTTP status {response.status}")
        if response.media_type != media_type:
            shown = response.media_type[:60] or "nothing"
            raise FetchFailed(f"{host}: media type {shown}, not {media_type}")
        return response.body

    async def _ask(
        self, host: str, port: int, request: bytes, reader: ResponseReader
    ) -> HttpResponse:
        exchanges = self._exchanges
        return await exchanges.ask(host, port, request, reader, exchanges.deadline())
