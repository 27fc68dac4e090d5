"""Pictures of the web, fetched for readers of mail: who sent the mail learns our address, and nothing of
the reader's; no cookies, no referrer, no name of a program.

Each address that a name leads to, of each redirect too, is judged by `guard` before anything is opened,
and what is opened is that address and no other: a name that changes its mind meanwhile gains nothing.
"""

from urllib.parse import urljoin

from msgspec import Struct

from postroad.delivery.guard import refusal
from postroad.delivery.https import FetchFailed
from postroad.message.display import Picture, look_at
from postroad.model import TlsPolicy
from postroad.ports import Clock, ConnectFailed, Network, Resolver, Stream, TlsFailed
from postroad.wire.http import (
    HttpBroken,
    HttpResponse,
    ResponseReader,
    WebAddress,
    get_request,
    parse_web,
)

_MAX_ADDRESSES = 4
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
        self._resolver = resolver
        self._network = network
        self._clock = clock
        self.settings = settings

    async def fetch(self, url: str) -> tuple[Picture, bytes]:
        """Return a picture. Raises `FetchFailed`, also where it is none, or too large."""
        until = self._clock.monotonic() + self.settings.total_seconds
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
        failure = FetchFailed(f"{place.host} has no address")
        for address in await self._addresses(place.host):
            try:
                stream = await self._network.connect(address, place.port, timeout=self._left(until))
            except ConnectFailed as error:
                failure = FetchFailed(f"{place.host} [{address}]: {error.reason}")
                continue
            try:
                return await self._ask(stream, place, until)
            except TlsFailed as error:
                failure = FetchFailed(f"{place.host} [{address}]: {error.reason}", tls=True)
            except (HttpBroken, TimeoutError) as error:
                raise FetchFailed(f"{place.host}: {str(error) or 'too slow'}") from error
            finally:
                stream.close()
        raise failure

    async def _ask(self, stream: Stream, place: WebAddress, until: float) -> HttpResponse:
        if place.secure:
            await stream.start_tls(TlsPolicy.VERIFY, place.host, self._left(until))
        await stream.send(get_request(place.authority, place.target, _ACCEPT), self._left(until))
        reader = ResponseReader(self.settings.max_octets)
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
        found: list[str] = []
        problem = ""
        if host.replace(".", "").isdigit():
            answers: list[str] = [host]
        else:
            answers = []
            for rdtype in ("A", "AAAA"):
                answers += (await self._resolver.lookup(host, rdtype)).records
        for address in answers:
            refused = refusal(address, allow_private=self.settings.allow_private)
            if refused is None:
                found.append(address)
            else:
                problem = f"{host}: {refused}"
        if not found and problem:
            raise FetchFailed(problem)
        return found[:_MAX_ADDRESSES]
