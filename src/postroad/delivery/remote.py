"""`ports.Deliverer` for mail that leaves: by MX, smarthost or LMTP."""

from postroad.delivery.connect import Connector
from postroad.delivery.route import Router
from postroad.delivery.session import RemoteSession
from postroad.delivery.settings import DeliverySettings
from postroad.model import LeasedDelivery, Route
from postroad.ports import Clock, ContentStore, Entropy, Network, Resolver, Session


class RemoteDeliverer:
    """Finds routes and opens sessions."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        network: Network,
        content: ContentStore,
        clock: Clock,
        entropy: Entropy,
        settings: DeliverySettings,
    ) -> None:
        self._content = content
        self._clock = clock
        self._settings = settings
        self._router = Router(resolver, clock, entropy, settings)
        self._connector = Connector(network, clock, self._router, settings)

    async def at_once(self, job: LeasedDelivery) -> None:
        """Nothing here is done without a connection."""

    async def route(self, destination: str) -> Route:
        """Return the way to a domain (or address literal). Raises `RouteFailed`."""
        return await self._router.route(destination)

    async def connect(self, route: Route) -> Session:
        """Open a session to the first address of the route that takes us. Raises `RouteFailed`."""
        link = await self._connector.open(route)
        return RemoteSession(
            route, link, self._connector, self._content, self._clock, self._settings
        )
