"""An open way to one destination: brings jobs over a link, and renews the link where it must.

A link that the server closed while it was kept is replaced once per call; no recipient is deferred
for that alone. What was pipelined behind a message whose answer never came was not sent and is tried
anew on the new link.
"""

import contextlib
from collections import deque
from collections.abc import Sequence

from postroad.delivery.allowance import Allowance
from postroad.delivery.connect import Connector
from postroad.delivery.courier import Courier, Fate, requiretls_unmet
from postroad.delivery.link import Link
from postroad.delivery.settings import DeliverySettings
from postroad.delivery.sources import words_of
from postroad.delivery.transaction import JobLog, Transaction, split
from postroad.model import Delivered, LeasedDelivery, Reply, Route, outcome_of
from postroad.ports import Attempt, Clock, ContentStore, RouteFailed, StorageError


class RemoteSession:
    """`ports.Session` to another server; used by one worker at a time. `proven`: `link` takes
    REQUIRETLS, and so must whatever replaces it.
    """

    def __init__(
        self,
        route: Route,
        link: Link,
        connector: Connector,
        content: ContentStore,
        clock: Clock,
        settings: DeliverySettings,
        *,
        proven: bool = False,
    ) -> None:
        self._route = route
        self._proven = proven
        self._link = link
        self._connector = connector
        self._content = content
        self._clock = clock
        self._settings = settings
        self._courier = Courier(link, content, clock, settings)
        self._spent = False

    @property
    def batch(self) -> int:
        """How many messages `attempt` likes to get at once."""
        link = self._link
        if not link.pipelining:
            return 1
        most = min(self._settings.pipelined_messages, link.max_messages - link.messages)
        if link.allowance is not None:
            most = min(most, link.allowance.left)
        return max(1, most)

    @property
    def usable(self) -> bool:
        """Whether another attempt may be made on it: not closed, too old or idle for too long."""
        return not self._spent and self._link.usable(self._clock.monotonic())

    async def attempt(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        """Make one attempt for each job; never raises for what the other side does."""
        if self._link.allowance is not None:
            return await self._attempt_allowed(self._link.allowance, jobs)
        return await self._attempt_all(jobs)

    async def close(self) -> None:
        """Say QUIT and close."""
        link = self._link
        if link.dead:
            link.drop()
        else:
            link.broken = True
            await link.dialogue.quit()

    async def _attempt_allowed(
        self, allowance: Allowance, jobs: Sequence[LeasedDelivery]
    ) -> list[Attempt]:
        """Attempt what the source may send today; the rest is for a session from another one."""
        allowed = []
        try:
            for job in jobs:
                if not await allowance.take(len(job.deliveries)):
                    break
                allowed.append(job)
        except StorageError:
            pass  # untried; who opens the next session meets the same and tells
        self._spent = len(allowed) < len(jobs)
        attempts = await self._attempt_all(allowed) if allowed else []
        now = self._clock.now()
        return attempts + [Attempt(now, now, (), untried=True) for _ in jobs[len(allowed) :]]

    async def _attempt_all(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        logs = [JobLog(job) for job in jobs]
        waiting: deque[Transaction] = deque()
        for log in logs:
            waiting.extend(split(log, self._link.max_recipients))
        elsewhere = await self._carry_all(waiting)
        if elsewhere:
            await self._carry_elsewhere(elsewhere)
        if not _all_delivered(logs):
            await self._carry_from_elsewhere(logs)
        self._link.last_used = self._clock.monotonic()
        ended_at = self._clock.now()
        return [log.attempt(ended_at) for log in logs]

    async def _carry_all(self, waiting: deque[Transaction]) -> list[Transaction]:
        """Bring transactions to their end; return those that another host may be fit for."""
        elsewhere: list[Transaction] = []
        renewals = 1
        while waiting:
            transaction = waiting.popleft()
            if not transaction.begun:
                if self._link.spent:
                    renewals -= self._link.dead
                    failure = await self._renew(renewals)
                    if failure is not None:
                        self._fail([transaction, *waiting], failure)
                        break
                fate = await self._courier.begin(transaction)
                if fate is not Fate.READY:
                    if fate is Fate.ANEW:
                        waiting.appendleft(transaction)
                    elif fate is Fate.ELSEWHERE:
                        elsewhere.append(transaction)
                    continue
            await self._carry(transaction, waiting)
        return elsewhere

    async def _carry_elsewhere(self, transactions: list[Transaction]) -> None:
        """Bring mail with REQUIRETLS to the first host of the route that takes it and proves who it is;
        it fails where none does (RFC 8689 §4.2.1).
        """
        if sum(len(host.addresses) for host in self._route.hosts) == 1:
            self._fail(
                transactions, RouteFailed(requiretls_unmet(self._link), (), self._link.taken)
            )
            return
        started = self._clock.monotonic()
        log = transactions[0].log
        try:
            link = await self._connector.open(self._route, proven=True)
        except RouteFailed as failure:
            log.add(started, failure.steps)
            self._fail(transactions, failure)
            return
        log.add(started, link.opened.steps)
        log.changes = (*log.changes, *link.opened.changes)
        session = RemoteSession(
            self._route,
            link,
            self._connector,
            self._content,
            self._clock,
            self._settings,
            proven=True,
        )
        try:
            await session._carry_all(deque(transactions))
        finally:
            await session.close()

    async def _carry_from_elsewhere(self, logs: Sequence[JobLog]) -> None:
        """Where the server refused our address, and we have another: bring the same from there."""
        sources = self._connector.sources
        while True:
            link = self._link
            host = link.host.name
            refused = [
                (log, blocked)
                for log in logs
                if (
                    blocked := [
                        each
                        for each in log.job.deliveries
                        if sources.blocks(log.outcomes.get(each.ordinal), host)
                    ]
                )
            ]
            if not refused:
                return
            first, deliveries = refused[0]
            reply = first.outcomes[deliveries[0].ordinal].reply
            if not sources.block(self._route, link.source, reply):
                return
            now = self._clock.monotonic()
            text = f"{words_of(link.source)} is blocked by {self._route.provider}: {reply}"
            for log, _ in refused:
                log.step(now, "source", f"{text}; another is tried")
            if not await self._move(first):
                return
            for log, deliveries in refused:
                if self._link.allowance is not None:
                    with contextlib.suppress(StorageError):
                        await self._link.allowance.take(len(deliveries))
                for each in deliveries:
                    del log.outcomes[each.ordinal]
            await self._carry_all(deque(Transaction(*each) for each in refused))

    async def _move(self, log: JobLog) -> bool:
        """Go on over a link from another source; False where there is none."""
        await self.close()
        started = self._clock.monotonic()
        try:
            link = await self._connector.open(self._route, proven=self._proven)
        except RouteFailed as failure:
            log.add(started, failure.steps)
            log.changes = (*log.changes, *failure.changes)
            return False
        log.add(started, link.opened.steps)
        log.changes = (*log.changes, *link.opened.changes)
        self._link = link
        self._courier = Courier(link, self._content, self._clock, self._settings)
        return True

    async def _carry(self, transaction: Transaction, waiting: deque[Transaction]) -> None:
        """Bring a transaction that was begun to its end."""
        fate = await self._courier.envelope(transaction)
        if fate is Fate.ANEW:
            transaction.clear()
            waiting.appendleft(transaction)
        elif fate is Fate.READY:
            if transaction.postponed:
                waiting.appendleft(transaction.rest())
            await self._courier.body(transaction, waiting[0] if waiting else None)

    async def _renew(self, renewals: int) -> RouteFailed | None:
        """Replace a link on which nothing more may be begun; return why that cannot be done.

        A server that closes on us again and again is not asked for every message.
        """
        link = self._link
        await self.close()
        if renewals < 0:
            reply = Reply(451, "4.4.2", f"{link.where} keeps closing its connections")
            return RouteFailed(reply, (), link.taken)
        try:
            self._link = await self._connector.open(self._route, proven=self._proven)
        except RouteFailed as failure:
            return failure
        self._courier = Courier(self._link, self._content, self._clock, self._settings)
        return None

    def _fail(self, transactions: Sequence[Transaction], failure: RouteFailed) -> None:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        for transaction in transactions:
            log = transaction.log
            log.begin(now, monotonic)
            log.taken = failure.taken or log.taken
            log.changes = (*log.changes, *failure.changes)
            failure.changes = ()
            if not log.steps:
                log.steps.extend(failure.steps)
            log.step(monotonic, "connect", failure.reply.text)
            transaction.settle(outcome_of(failure.reply))


def _all_delivered(logs: Sequence[JobLog]) -> bool:
    for log in logs:
        for outcome in log.outcomes.values():
            if type(outcome) is not Delivered:
                return False
    return True
