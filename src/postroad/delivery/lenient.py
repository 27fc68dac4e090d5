"""A session where DANE or MTA-STS stands in the way: only mail that says ``TLS-Required: No`` goes on.

RFC 8689 §4.2.2: the sender knows better what must be read by nobody (a report that TLS is broken is no
secret). The header is looked at only here, so all other mail pays nothing for it. A message that cannot
be read, or that also asks for REQUIRETLS, is held to the domain's rule.
"""

from collections.abc import Awaitable, Callable, Sequence

from postroad.delivery.transaction import JobLog
from postroad.message.header import Header, header_end
from postroad.model import LeasedDelivery, outcome_of
from postroad.ports import Attempt, Clock, ContentStore, RouteFailed, Session, StorageError

_HEADER_OCTETS = 256 * 1024


class LenientSession:
    """`ports.Session` without a link. `reopen` opens one under the settings' own rule."""

    def __init__(
        self,
        failure: RouteFailed,
        reopen: Callable[[], Awaitable[Session]],
        content: ContentStore,
        clock: Clock,
    ) -> None:
        self._failure = failure
        self._reopen = reopen
        self._content = content
        self._clock = clock

    @property
    def batch(self) -> int:
        """How many messages `attempt` likes to get at once."""
        return 10

    @property
    def usable(self) -> bool:
        """Never again: the domain may mend its TLS at any time."""
        return False

    async def attempt(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        """Send what may go all the same; the rest fails as the link did."""
        lenient = [job for job in jobs if await self._asks_for_none(job)]
        sent = await self._send(lenient) if lenient else []
        by_message = dict(zip(map(id, lenient), sent, strict=True))
        return [by_message.get(id(job)) or self._failed(job, self._failure) for job in jobs]

    async def close(self) -> None:
        """There is nothing to close."""

    async def _send(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        try:
            session = await self._reopen()
        except RouteFailed as failure:
            return [self._failed(job, failure) for job in jobs]
        try:
            return await session.attempt(jobs)
        finally:
            await session.close()

    def _failed(self, job: LeasedDelivery, failure: RouteFailed) -> Attempt:
        log = JobLog(job)
        log.begin(self._clock.now(), self._clock.monotonic())
        log.steps.extend(failure.steps)
        log.taken = failure.taken
        log.changes, failure.changes = failure.changes, ()
        for delivery in job.deliveries:
            log.outcomes[delivery.ordinal] = outcome_of(failure.reply)
        return log.attempt(self._clock.now())

    async def _asks_for_none(self, job: LeasedDelivery) -> bool:
        if job.message.envelope.requiretls:
            return False
        try:
            piece = await self._content.read(job.message.content, 0, _HEADER_OCTETS)
        except StorageError:
            return False
        end = header_end(piece)
        header = Header.parse(piece[: end if end >= 0 else len(piece)])
        value = header.get("tls-required")
        return value is not None and value.strip().lower() == "no"
