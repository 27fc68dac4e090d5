"""Pictures of the web, fetched for readers of mail: who sent the mail learns our address, and nothing of
the reader's; no cookies, no referrer, no name of a program.

Each redirect's addresses are guarded as the first one's are (`exchange`).
"""

from urllib.parse import urljoin

from msgspec import Struct

from postroad.delivery.exchange import Exchanges, FetchFailed
from postroad.message.display import Picture, look_at
from postroad.ports import Clock, Network, Resolver
from postroad.wire.http import (
    HttpResponse,
    ResponseReader,
    WebAddress,
    get_request,
    parse_web,
)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = (80, 443)
_ACCEPT = "image/avif,image/webp,image/png,image/jpeg,image/gif"


class PictureSettings(Struct, frozen=True):
    """Limits of one picture: octets, pixels, seconds for all of it, redirects. `allow_private` lets
    addresses of this network pass, and any port, for laboratories.
    """

    max_octets: int = 10 * 2**20
    max_pixels: int = 50_000_000
    total_seconds: float = 15.0
    max_redirects: int = 3
    allow_private: bool = False


class Pictures:
    """Fetches pictures."""

    def __init__(
        self, resolver: Resolver, network: Network, clock: Clock, settings: PictureSettings
    ) -> None:
        self._exchanges = Exchanges(
            resolver,
            network,
            clock,
            total_seconds=settings.total_seconds,
            allow_private=settings.allow_private,
        )
        self.settings = settings

    async def fetch(self, url: str) -> tuple[Picture, bytes]:
        """Return a picture. Raises `FetchFailed`, also where it is none, or too large."""
        until = self._exchanges.deadline()
        for _ in range(self.settings.max_redirects + 1):
            place = self._place(url)
            response = await self._get(place, until)
            if response.status not in _REDIRECTS:
                return self._picture(place, response)
            url = urljoin(str(place), response.fields.get("location", ""))
        raise FetchFailed(f"more than {self.settings.max_redirects} redirects")

    def _place(self, url: str) -> WebAddress:
        try:
            place = parse_web(url)
        except ValueError as error:
            raise FetchFailed(str(error)) from None
        if place.port not in _PORTS and not self.settings.allow_private:
            raise FetchFailed(f"port {place.port} is none of the web's")
        return place

    def _picture(self, place: WebAddress, response: HttpResponse) -> tuple[Picture, bytes]:
        if response.status != 200:
            raise FetchFailed(f"{place.host}: HTTP status {response.status}")
        picture = look_at(response.body)
        if picture is None:
            raise FetchFailed(f"{place.host}: not a picture")
        if picture.width * picture.height > self.settings.max_pixels:
            raise FetchFailed(f"{place.host}: more than {self.settings.max_pixels} pixels")
        return picture, response.body

    async def _get(self, place: WebAddress, until: float) -> HttpResponse:
        request = get_request(place.authority, place.target, _ACCEPT)
        reader = ResponseReader(self.settings.max_octets)
        return await self._exchanges.ask(
            place.host, place.port, request, reader, until, secure=place.secure
        )
