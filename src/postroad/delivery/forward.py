"""Mail that an alias leads to another place: it leaves under a sender that we may send for.

Without that, SPF at the next server fails for every message that is passed on. Only mail that came from
outside is rewritten, and only its envelope: whom a report of ours goes to stays the true sender. Where
there is a sealer, what we found of the sender is sealed on top, for the next server to believe.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from postroad.delivery.above import ContentAbove
from postroad.delivery.around import DelivererAround, SessionAround
from postroad.model import Address, LeasedDelivery, Message, Route, RouteKind, ServerKind, Step
from postroad.ports import Attempt, Clock, Deliverer, Session
from postroad.trust.srs import Srs

_FROM_OUTSIDE = (ServerKind.MX, ServerKind.LMTP)


Seal: TypeAlias = Callable[[Message, str], Awaitable[bytes]]
"""Returns the fields to put on top of a message that a domain of ours passes on."""


class Forwarding(DelivererAround):
    """`ports.Deliverer` around another one. `is_ours` tells whether we are responsible for a domain.

    Senders are rewritten to those of `domain`, or of the alias's. `seal` is used with `contents`, the
    store that the inner deliverer reads from.
    """

    def __init__(
        self,
        inner: Deliverer,
        srs: Srs,
        is_ours: Callable[[str], Awaitable[bool]],
        clock: Clock,
        seal: Seal | None = None,
        contents: ContentAbove | None = None,
        domain: str = "",
    ) -> None:
        self._domain = domain
        self._seal = seal
        self.contents = contents
        super().__init__(inner)
        self._srs = srs
        self._is_ours = is_ours
        self._clock = clock

    async def connect(self, route: Route) -> Session:
        """Open a session that rewrites senders. Raises `RouteFailed`."""
        session = await self._inner.connect(route)
        if route.kind is RouteKind.LMTP:
            return session  # a mailbox, not another's server
        return _ForwardingSession(session, self)

    async def passed_on(self, job: LeasedDelivery) -> LeasedDelivery | None:
        """Return the job as it is passed on, with another sender, a seal, or both; None where it stays
        as it is.
        """
        message = job.message
        if message.origin.server not in _FROM_OUTSIDE:
            return None
        ours = next(
            (each.original.domain for each in job.deliveries if each.original != each.recipient),
            None,
        )
        if ours is None:
            return None
        changed = message
        sender = message.envelope.sender
        if sender is not None and not await self._may_keep(message, sender):
            name = self._domain or ours
            forwarded = self._srs.forward(sender, name, self._clock.now())
            if forwarded is None:  # too long, as those of large senders are
                forwarded = self._srs.forward_kept(message.id, name, self._clock.now())
            changed = replace(changed, envelope=replace(message.envelope, sender=forwarded))
        if self._seal is not None and self.contents is not None:
            above = await self._seal(message, ours)
            if above:
                changed = replace(changed, content=self.contents.put(message.content, above))
        return None if changed is message else LeasedDelivery(changed, job.deliveries)

    async def _may_keep(self, message: Message, sender: Address) -> bool:
        """A sender of ours is only kept where it was proven: after us, it is."""
        findings = message.findings
        if findings is None or not findings.sender_passed:
            return False
        return await self._is_ours(sender.domain)


class _ForwardingSession(SessionAround):
    """`ports.Session` whose jobs may get another sender."""

    def __init__(self, inner: Session, forwarding: Forwarding) -> None:
        super().__init__(inner)
        self._forwarding = forwarding

    def concerns(self, job: LeasedDelivery) -> bool:
        """Whether it came from outside."""
        return job.message.origin.server in _FROM_OUTSIDE

    async def treat(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        """Make one attempt for each job, under the sender and seal that it needs."""
        chosen = [await self._forwarding.passed_on(job) for job in jobs]
        contents = self._forwarding.contents
        try:
            attempts = await self._inner.attempt(
                [new or job for new, job in zip(chosen, jobs, strict=True)]
            )
        finally:
            if contents is not None:
                for new in chosen:
                    if new is not None:
                        contents.drop(new.message.content)
        return [
            attempt if new is None else _noted(attempt, job, new)
            for attempt, job, new in zip(attempts, jobs, chosen, strict=True)
        ]


def _noted(attempt: Attempt, job: LeasedDelivery, new: LeasedDelivery) -> Attempt:
    words = []
    if new.message.envelope is not job.message.envelope:
        words.append(f"passed on with the sender <{new.message.envelope.sender}>")
    if new.message.content is not job.message.content:
        words.append("sealed (ARC)")
    step = Step(0.0, "mail", ", ".join(words))
    return replace(attempt, steps=(*attempt.steps, step))
