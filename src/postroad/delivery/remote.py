"""`ports.Deliverer` for mail that leaves: by MX, smarthost or LMTP."""

from postroad.delivery.connect import Connector, TlsUnmet
from postroad.delivery.demand import Demands
from postroad.delivery.https import Fetcher, FetchSettings
from postroad.delivery.lenient import LenientSession
from postroad.delivery.route import Router
from postroad.delivery.session import RemoteSession
from postroad.delivery.settings import DeliverySettings
from postroad.delivery.sources import Classify, Sources
from postroad.delivery.sts import StsPolicies, StsSettings
from postroad.delivery.tally import LinkTally
from postroad.message.bounce.classify import classify
from postroad.model import LeasedDelivery, Route
from postroad.ports import (
    Clock,
    ContentStore,
    Entropy,
    Ledger,
    Network,
    Resolver,
    SecurityStore,
    Session,
    SourceStore,
)
from postroad.trust.mta_sts import MAX_POLICY_OCTETS


class RemoteDeliverer:
    """Finds routes and opens sessions. Without `security` and `ledger` MTA-STS is not looked at; without
    `sources` and `ledger` no source address has a cap.
    """

    def __init__(
        self,
        *,
        resolver: Resolver,
        network: Network,
        content: ContentStore,
        clock: Clock,
        entropy: Entropy,
        settings: DeliverySettings,
        security: SecurityStore | None = None,
        ledger: Ledger | None = None,
        sources: SourceStore | None = None,
        classify: Classify = classify,
        tally: LinkTally | None = None,
    ) -> None:
        self._content = content
        self._clock = clock
        self._settings = settings
        policies = None
        if settings.mta_sts and security is not None and ledger is not None:
            policies = make_policies(resolver, network, security, ledger, clock, settings)
        self._router = Router(resolver, clock, entropy, settings, policies)
        demands = Demands(resolver, settings)
        self.sources = Sources(clock, settings, sources, ledger, classify, tally)
        self._connector = Connector(
            network, clock, self._router, demands, settings, self.sources, tally
        )

    async def at_once(self, job: LeasedDelivery) -> None:
        """Nothing here is done without a connection."""

    async def route(self, destination: str) -> Route:
        """Return the way to a domain (or address literal). Raises `RouteFailed`."""
        return await self._router.route(destination)

    async def connect(self, route: Route) -> Session:
        """Open a session to the first address of the route that takes us. Raises `RouteFailed`."""
        try:
            return await self._open(route)
        except TlsUnmet as failure:
            return LenientSession(
                failure, lambda: self._open(route, relaxed=True), self._content, self._clock
            )

    async def _open(self, route: Route, *, relaxed: bool = False) -> Session:
        link = await self._connector.open(route, relaxed=relaxed)
        return RemoteSession(
            route, link, self._connector, self._content, self._clock, self._settings
        )


def make_policies(
    resolver: Resolver,
    network: Network,
    security: SecurityStore,
    ledger: Ledger,
    clock: Clock,
    settings: DeliverySettings,
) -> StsPolicies:
    """Return what finds MTA-STS policies, in the store or in the world."""
    limits = FetchSettings(
        port=settings.mta_sts_port,
        max_octets=MAX_POLICY_OCTETS,
        total_seconds=settings.mta_sts_fetch_seconds,
        allow_private=settings.allow_private,
    )
    return StsPolicies(
        resolver=resolver,
        fetcher=Fetcher(resolver, network, clock, limits),
        store=security,
        ledger=ledger,
        clock=clock,
        settings=StsSettings(settings.mta_sts_retry_seconds, settings.mta_sts_refresh_seconds),
    )
