"""Mail of streams that ask for it leaves under a return path of our own (`trust.return_path`).

Only the envelope changes, and only on the way to other servers: to whom reports of our own go stays the
true sender. Mail without a sender stays so.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from postroad.delivery.around import DelivererAround, SessionAround
from postroad.model import Address, LeasedDelivery, Route, RouteKind, Step
from postroad.ports import Attempt, Clock, Deliverer, Session
from postroad.trust.return_path import ReturnPaths, ReturnTo


class ReturningToUs(DelivererAround):
    """`ports.Deliverer` around another one. `bases` tells the address that the return paths of a stream
    are made of.
    """

    def __init__(
        self, inner: Deliverer, paths: ReturnPaths, bases: Mapping[str, Address], clock: Clock
    ) -> None:
        super().__init__(inner)
        self._paths = paths
        self.bases = bases
        self._clock = clock

    async def connect(self, route: Route) -> Session:
        """Open a session that sends under return paths of ours. Raises `RouteFailed`."""
        session = await self._inner.connect(route)
        if route.kind in (RouteKind.LOCAL, RouteKind.LMTP):
            return session  # a mailbox, not another's server
        return _ReturningSession(session, self)

    def signed(self, job: LeasedDelivery) -> LeasedDelivery:
        """Return the job as it is sent."""
        message = job.message
        base = self.bases.get(message.stream)
        if base is None or message.envelope.sender is None:
            return job
        ordinal = job.deliveries[0].ordinal if len(job.deliveries) == 1 else None
        path = self._paths.make(base, ReturnTo(message.id, ordinal), self._clock.now())
        return replace(
            job, message=replace(message, envelope=replace(message.envelope, sender=path))
        )


class _ReturningSession(SessionAround):
    """`ports.Session` whose jobs may get another sender."""

    def __init__(self, inner: Session, returning: ReturningToUs) -> None:
        super().__init__(inner)
        self._returning = returning

    def concerns(self, job: LeasedDelivery) -> bool:
        """Whether its stream asks for return paths."""
        return job.message.stream in self._returning.bases

    async def treat(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        """Make one attempt for each job, under its return path."""
        sent = [self._returning.signed(job) for job in jobs]
        attempts = await self._inner.attempt(sent)
        return [
            attempt if new is job else _noted(attempt, new)
            for attempt, job, new in zip(attempts, jobs, sent, strict=True)
        ]


def _noted(attempt: Attempt, job: LeasedDelivery) -> Attempt:
    step = Step(0.0, "mail", f"what comes back comes to <{job.message.envelope.sender}>")
    return replace(attempt, steps=(*attempt.steps, step))
