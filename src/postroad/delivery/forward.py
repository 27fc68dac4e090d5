"""Mail that an alias leads to another place: it leaves under a sender that we may send for.

Without that, SPF at the next server fails for every message that is passed on. Only mail that came from
outside is rewritten, and only its envelope: whom a report of ours goes to stays the true sender.
"""

from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from postroad.model import LeasedDelivery, Route, RouteKind, ServerKind, Step
from postroad.ports import Attempt, Clock, Deliverer, Session
from postroad.trust.srs import Srs

_FROM_OUTSIDE = (ServerKind.MX, ServerKind.LMTP)


class Forwarding:
    """`ports.Deliverer` around another one. `is_ours` tells whether we are responsible for a domain."""

    def __init__(
        self,
        inner: Deliverer,
        srs: Srs,
        is_ours: Callable[[str], Awaitable[bool]],
        clock: Clock,
    ) -> None:
        self._inner = inner
        self._srs = srs
        self._is_ours = is_ours
        self._clock = clock

    async def at_once(self, job: LeasedDelivery) -> Attempt | None:
        """As the inner one."""
        return await self._inner.at_once(job)

    async def route(self, destination: str) -> Route:
        """As the inner one. Raises `RouteFailed`."""
        return await self._inner.route(destination)

    async def connect(self, route: Route) -> Session:
        """Open a session that rewrites senders. Raises `RouteFailed`."""
        session = await self._inner.connect(route)
        if route.kind is RouteKind.LMTP:
            return session  # a mailbox, not another's server
        return _ForwardingSession(session, self)

    async def rewritten(self, job: LeasedDelivery) -> LeasedDelivery | None:
        """Return the job under the sender that it is passed on with; None where it keeps its own."""
        message = job.message
        sender = message.envelope.sender
        if sender is None or message.origin.server not in _FROM_OUTSIDE:
            return None
        ours = next(
            (each.original.domain for each in job.deliveries if each.original != each.recipient),
            None,
        )
        if ours is None or await self._is_ours(sender.domain):
            return None
        forwarded = self._srs.forward(sender, ours, self._clock.now())
        if forwarded is None:
            return None
        envelope = replace(message.envelope, sender=forwarded)
        return LeasedDelivery(replace(message, envelope=envelope), job.deliveries)


class _ForwardingSession:
    """`ports.Session` whose jobs may get another sender."""

    def __init__(self, inner: Session, forwarding: Forwarding) -> None:
        self._inner = inner
        self._forwarding = forwarding

    @property
    def batch(self) -> int:
        """As the inner one."""
        return self._inner.batch

    @property
    def usable(self) -> bool:
        """As the inner one."""
        return self._inner.usable

    async def attempt(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        """Make one attempt for each job; never raises for what the other side does."""
        for job in jobs:
            if job.message.origin.server in _FROM_OUTSIDE:
                return await self._with_senders(jobs)
        return await self._inner.attempt(jobs)

    async def close(self) -> None:
        """As the inner one."""
        await self._inner.close()

    async def _with_senders(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        chosen = [await self._forwarding.rewritten(job) for job in jobs]
        attempts = await self._inner.attempt(
            [new or job for new, job in zip(chosen, jobs, strict=True)]
        )
        return [
            attempt if new is None else _noted(attempt, new)
            for attempt, new in zip(attempts, chosen, strict=True)
        ]


def _noted(attempt: Attempt, job: LeasedDelivery) -> Attempt:
    step = Step(0.0, "mail", f"passed on with the sender <{job.message.envelope.sender}>")
    return replace(attempt, steps=(*attempt.steps, step))
