"""The ways that mail goes, behind one port: to a mailbox here, out, or back to us about mail of ours."""

from postroad.model import LeasedDelivery, Route, RouteKind
from postroad.ports import Attempt, Deliverer, Session
from postroad.service.recipients import LOCAL, RETURNS

_LOCAL = RouteKind.LOCAL


class LocalOrRemote:
    """`ports.Deliverer` for all destinations.

    `remote` brings mail to other servers; it may be replaced while sessions are open, which end as they
    began. `returns` takes what comes back.
    """

    def __init__(
        self,
        local: Deliverer,
        remote: Deliverer,
        returns: Deliverer | None = None,
    ) -> None:
        self._returns = returns
        self._local = local
        self.remote = remote

    async def at_once(self, job: LeasedDelivery) -> Attempt | None:
        """Deposit what stays here; None for what leaves."""
        for delivery in job.deliveries:
            if delivery.destination != LOCAL:
                return None
        return await self._local.at_once(job)

    async def route(self, destination: str) -> Route:
        """Return the way to ``"local"`` or to a domain. Raises `RouteFailed`."""
        chosen = self._local if destination == LOCAL else self.remote
        if self._returns is not None and destination == RETURNS:
            chosen = self._returns
        return await chosen.route(destination)

    async def connect(self, route: Route) -> Session:
        """Open a session. Raises `RouteFailed`."""
        chosen = self._local if route.kind is _LOCAL else self.remote
        if self._returns is not None and route.domain == RETURNS:
            chosen = self._returns
        return await chosen.connect(route)
