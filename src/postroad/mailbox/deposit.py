"""Bringing messages into mailboxes here: destination ``"local"``.

A deposit is only a change, committed by the queue in one group with the outcome, so it happens exactly
once. The content is referred to, not copied; each entry has its own prefix of trace fields.

A mailbox found missing or disabled fails for good; the look at it is remembered for a short while. If a
mailbox goes just then, the commit of that one attempt fails, and the next attempt looks again.
"""

from collections.abc import Sequence

from postroad.mailbox.folders import Folders
from postroad.message.trace import return_path
from postroad.model import (
    Address,
    Delivered,
    Delivery,
    Deposited,
    LeasedDelivery,
    MailboxAdded,
    Outcome,
    PermanentFailure,
    Reply,
    Route,
    RouteKind,
    RouteTaken,
    TemporaryFailure,
)
from postroad.ports import (
    Attempt,
    Clock,
    Directory,
    Entropy,
    MailboxStore,
    RouteFailed,
    Session,
    StorageError,
)

LOCAL = "local"
"""The destination of all mail that stays here."""

BATCH = 100
REMEMBER_SECONDS = 10.0
REMEMBER_MAX = 10_000

_DELIVERED = Delivered(Reply(250, "2.0.0", "delivered to mailbox"))
_UNKNOWN = PermanentFailure(Reply(550, "5.1.1", "no such mailbox here"))
_DISABLED = PermanentFailure(Reply(550, "5.2.1", "the mailbox is disabled and takes no mail"))
_TAKEN = RouteTaken(RouteKind.LOCAL, host=LOCAL)
_ROUTE = Route(kind=RouteKind.LOCAL, domain=LOCAL, key=LOCAL, expires_at=float("inf"))


class LocalDeliverer:
    """Delivers to mailboxes; one `Session` serves any number of messages."""

    def __init__(
        self,
        *,
        mailboxes: MailboxStore,
        directory: Directory,
        clock: Clock,
        entropy: Entropy,
        batch: int = BATCH,
    ) -> None:
        self._mailboxes = mailboxes
        self._directory = directory
        self._clock = clock
        self._batch = batch
        self._usable: dict[int, float] = {}
        self._folders = Folders(mailboxes, clock, entropy)

    async def route(self, destination: str) -> Route:
        """Return the way to ``"local"``. Raises `RouteFailed` for anything else."""
        if destination != LOCAL:
            raise RouteFailed(Reply(550, "5.4.4", f"{destination} is not delivered to here"))
        return _ROUTE

    async def connect(self, route: Route) -> Session:
        """Return a session; nothing has to be opened."""
        return LocalSession(self, self._batch)

    async def at_once(self, job: LeasedDelivery) -> Attempt:
        """Deposit one message into the mailboxes of its deliveries."""
        message = job.message
        started_at = self._clock.now()
        prefix = return_path(message.envelope.sender)
        outcomes: list[tuple[int, Outcome]] = []
        changes: list[Deposited] = []
        made: list[MailboxAdded] = []
        for delivery in job.deliveries:
            problem = await self._problem(delivery)
            if problem is not None:
                outcomes.append((delivery.ordinal, problem))
                continue
            mailbox = delivery.mailbox
            assert mailbox is not None, "a delivery without a mailbox is a problem"
            if delivery.folder:
                try:
                    mailbox = await self._folders.place(mailbox, delivery.folder, made)
                except StorageError as error:
                    outcomes.append((delivery.ordinal, _unreadable(error)))
                    continue
            fields = prefix + delivered_to(delivery.recipient)
            outcomes.append((delivery.ordinal, _DELIVERED))
            changes.append(
                Deposited(
                    at=started_at,
                    message=message.id,
                    ordinal=delivery.ordinal,
                    mailbox=mailbox,
                    content=message.content,
                    prefix=fields,
                    size=len(fields) + message.content.size,
                )
            )
        return Attempt(
            started_at=started_at,
            ended_at=self._clock.now(),
            outcomes=tuple(outcomes),
            taken=_TAKEN,
            changes=tuple(changes),
            made=tuple(made),
        )

    async def _problem(self, delivery: Delivery) -> Outcome | None:
        """Return why nothing can be deposited, None where it can."""
        mailbox = delivery.mailbox
        if mailbox is None:
            return _UNKNOWN
        now = self._clock.monotonic()
        if self._usable.get(mailbox, 0.0) > now:
            return None
        try:
            problem = await self._look(mailbox)
        except StorageError as error:
            return _unreadable(error)
        if problem is None:
            if len(self._usable) >= REMEMBER_MAX:
                self._usable.clear()
            self._usable[mailbox] = now + REMEMBER_SECONDS
        return problem

    async def _look(self, mailbox: int) -> Outcome | None:
        found = await self._mailboxes.mailbox(mailbox)
        if found is None:
            return _UNKNOWN
        account = await self._directory.account_by_id(found.account)
        if account is None:
            return _UNKNOWN
        return None if account.enabled else _DISABLED


class LocalSession:
    """A worker's way into the mailboxes."""

    def __init__(self, deliverer: LocalDeliverer, batch: int) -> None:
        self._deliverer = deliverer
        self._batch = batch

    @property
    def batch(self) -> int:
        """How many messages `attempt` likes to get at once."""
        return self._batch

    @property
    def usable(self) -> bool:
        """Whether another attempt may be made: always."""
        return True

    async def attempt(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        """Make one attempt for each job."""
        return [await self._deliverer.at_once(job) for job in jobs]

    async def close(self) -> None:
        """There is nothing to end."""


def delivered_to(recipient: Address) -> bytes:
    """Return the Delivered-To field (RFC 9228 §3): where aliases led, and what tells a loop."""
    return f"Delivered-To: {recipient}\r\n".encode()


def _unreadable(error: StorageError) -> Outcome:
    return TemporaryFailure(Reply(451, "4.3.0", _one_line(f"mailbox unreadable: {error}")))


def _one_line(text: str) -> str:
    return "".join(letter if letter >= " " and letter != "\x7f" else " " for letter in text)
