"""A deliverer around another one: what those that only change a little of it have in common."""

from collections.abc import Sequence

from postroad.model import LeasedDelivery, Route
from postroad.ports import Attempt, Deliverer, Session


class DelivererAround:
    """`ports.Deliverer` that leaves all to the inner one; subclasses say what they do otherwise."""

    def __init__(self, inner: Deliverer) -> None:
        self._inner = inner

    async def at_once(self, job: LeasedDelivery) -> Attempt | None:
        """As the inner one."""
        return await self._inner.at_once(job)

    async def route(self, destination: str) -> Route:
        """As the inner one. Raises `RouteFailed`."""
        return await self._inner.route(destination)


class SessionAround:
    """`ports.Session` whose jobs may get another treatment: those that `concerns` says it of, and what
    goes with them. All others are left to the inner session.
    """

    def __init__(self, inner: Session) -> None:
        self._inner = inner

    @property
    def batch(self) -> int:
        """As the inner one."""
        return self._inner.batch

    @property
    def usable(self) -> bool:
        """As the inner one."""
        return self._inner.usable

    def concerns(self, job: LeasedDelivery) -> bool:
        """Whether a job is not simply for the inner session."""
        raise NotImplementedError

    async def treat(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        """Make one attempt for each of jobs some of which are concerned."""
        raise NotImplementedError

    async def attempt(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        """Make one attempt for each job; never raises for what the other side does."""
        for job in jobs:
            if self.concerns(job):
                return await self.treat(jobs)
        return await self._inner.attempt(jobs)

    async def close(self) -> None:
        """As the inner one."""
        await self._inner.close()
