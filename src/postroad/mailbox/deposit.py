"""Bringing messages into mailboxes here: destination ``"local"``.

A deposit is only a change, committed by the queue in one group with the outcome, so it happens exactly
once. The content is referred to, not copied; each entry has its own prefix of trace fields.

A mailbox found missing or disabled fails for good; the look at it is remembered for a short while. If a
mailbox goes just then, the commit of that one attempt fails, and the next attempt looks again. With that
look comes whether its owner taught what is junk: only then is a message read before it is deposited.
"""

from collections.abc import Sequence
from typing import Protocol

from postroad.mailbox.folders import Folders
from postroad.mailbox.junk import JunkFilter
from postroad.mailbox.quota import Quotas
from postroad.message.trace import return_path
from postroad.model import (
    JUNK,
    Account,
    Address,
    Delivered,
    Delivery,
    Deposited,
    LeasedDelivery,
    MailboxAdded,
    Message,
    Outcome,
    PermanentFailure,
    Reply,
    Route,
    RouteKind,
    RouteTaken,
    Step,
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


class Answering(Protocol):
    """Who answers for accounts whose owners are away."""

    async def away(self, account: int) -> bool:
        """Whether an account answers. Raises `StorageError`."""
        ...

    async def answer(self, account: Account, message: Message, delivery: Delivery) -> str:
        """Answer, or do not; return what became of it. Raises `StorageError`."""
        ...


class LocalDeliverer:
    """Delivers to mailboxes; one `Session` serves any number of messages."""

    def __init__(
        self,
        *,
        mailboxes: MailboxStore,
        directory: Directory,
        clock: Clock,
        entropy: Entropy,
        junk: JunkFilter | None = None,
        quotas: Quotas | None = None,
        batch: int = BATCH,
    ) -> None:
        self._mailboxes = mailboxes
        self._directory = directory
        self._clock = clock
        self._batch = batch
        self._usable: dict[int, float] = {}
        self._junk = junk
        self._quotas = quotas
        self.answering: Answering | None = None
        self._away: dict[int, Account] = {}  # mailboxes whose owner answers while away
        self._taught: dict[int, int] = {}  # mailboxes whose owner taught what is junk: the account
        self._folders = Folders(mailboxes, clock, entropy)

    async def route(self, destination: str) -> Route:
        """Return the way to ``"local"``. Raises `RouteFailed` for anything else."""
        if destination != LOCAL:
            raise RouteFailed(Reply(550, "5.4.4", f"{destination} is not delivered to here"))
        return _ROUTE

    async def connect(self, route: Route) -> Session:
        """Return a session; nothing has to be opened."""
        return LocalSession(self, self._batch)

    async def at_once(self, job: LeasedDelivery) -> Attempt | None:
        """Deposit one message, whose content need not be stored yet, into the mailboxes of its
        deliveries. None where its text decides into which.
        """
        return await self._deposit(job, stored=False)

    async def deposit(self, job: LeasedDelivery) -> Attempt:
        """Deposit one message whose content is stored."""
        attempt = await self._deposit(job, stored=True)
        assert attempt is not None, "its text can be read"
        return attempt

    async def _deposit(self, job: LeasedDelivery, *, stored: bool) -> Attempt | None:
        message = job.message
        started_at = self._clock.now()
        prefix = return_path(message.envelope.sender)
        outcomes: list[tuple[int, Outcome]] = []
        changes: list[Deposited] = []
        made: list[MailboxAdded] = []
        steps: list[Step] = []
        tokens: list[tuple[str, ...]] = []
        quotas = self._quotas
        for delivery in job.deliveries:
            problem = await self._problem(delivery)
            if problem is not None:
                outcomes.append((delivery.ordinal, problem))
                continue
            mailbox, folder = delivery.mailbox, delivery.folder
            assert mailbox is not None, "a delivery without a mailbox is a problem"
            fields = prefix + delivered_to(delivery.recipient)
            size = len(fields) + message.content.size
            try:
                away = self._away.get(mailbox) if self._away else None
                if away and not folder and not stored:
                    return None
                if quotas is not None and quotas.active:
                    full = await quotas.problem(mailbox, size)
                    if full is not None:
                        outcomes.append((delivery.ordinal, _failed(full)))
                        continue
                    quotas.took(mailbox, size)
                if self._taught and mailbox in self._taught and not folder:
                    if not stored:
                        return None
                    folder = await self._judged(mailbox, message, started_at, tokens, steps)
                if away and not folder:
                    steps += await self._answered(away, message, delivery, started_at)
                if folder:
                    mailbox = await self._folders.place(mailbox, folder, made)
            except StorageError as error:
                outcomes.append((delivery.ordinal, _unreadable(error)))
                continue
            except Exception as error:
                outcomes.append((delivery.ordinal, _not_judged(error)))
                continue
            outcomes.append((delivery.ordinal, _DELIVERED))
            changes.append(
                Deposited(
                    at=started_at,
                    message=message.id,
                    ordinal=delivery.ordinal,
                    mailbox=mailbox,
                    content=message.content,
                    prefix=fields,
                    size=size,
                )
            )
        return Attempt(
            started_at=started_at,
            ended_at=self._clock.now(),
            outcomes=tuple(outcomes),
            taken=_TAKEN,
            steps=tuple(steps),
            changes=tuple(changes),
            made=tuple(made),
        )

    async def _judged(
        self,
        mailbox: int,
        message: Message,
        started_at: float,
        tokens: list[tuple[str, ...]],
        steps: list[Step],
    ) -> str:
        """Return the folder for a message by what the mailbox's owner taught, ``""`` for the INBOX.

        `tokens` keeps those of the message, for others that it goes to; `steps` gets the reasons.
        """
        junk = self._junk
        assert junk is not None, "without it, nothing is taught"
        began = self._clock.monotonic()
        if not tokens:
            tokens.append(await junk.tokens(message.content))
        judgement = await junk.judge(self._taught[mailbox], tokens[0])
        text = junk.in_words(judgement, self._clock.monotonic() - began)
        steps.append(Step(self._clock.now() - started_at, "check", text))
        return JUNK if junk.is_junk(judgement) else ""

    async def _answered(
        self, account: Account, message: Message, delivery: Delivery, started_at: float
    ) -> list[Step]:
        """Have a message answered for who is away; return what to tell of it."""
        assert self.answering is not None, "without it, nobody is known to be away"
        words = await self.answering.answer(account, message, delivery)
        return [Step(self._clock.now() - started_at, "vacation", words)] if words else []

    async def _problem(self, delivery: Delivery) -> Outcome | None:
        """Return why nothing can be deposited, None where it can."""
        mailbox = delivery.mailbox
        if mailbox is None:
            return _UNKNOWN
        now = self._clock.monotonic()
        if self._usable.get(mailbox, 0.0) > now:
            return None
        if len(self._usable) >= REMEMBER_MAX:
            self._usable.clear()
            self._taught.clear()
            self._away.clear()
        try:
            problem = await self._look(mailbox)
        except StorageError as error:
            return _unreadable(error)
        if problem is None:
            self._usable[mailbox] = now + REMEMBER_SECONDS
        return problem

    async def _look(self, mailbox: int) -> Outcome | None:
        found = await self._mailboxes.mailbox(mailbox)
        if found is None:
            return _UNKNOWN
        account = await self._directory.account_by_id(found.account)
        if account is None:
            return _UNKNOWN
        if not account.enabled:
            return _DISABLED
        if self.answering is not None:
            if await self.answering.away(account.id):
                self._away[mailbox] = account
            else:
                self._away.pop(mailbox, None)
        if self._junk is not None:
            if await self._junk.ready(account.id):
                self._taught[mailbox] = account.id
            else:
                self._taught.pop(mailbox, None)
        return None


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
        return [await self._deliverer.deposit(job) for job in jobs]

    async def close(self) -> None:
        """There is nothing to end."""


def delivered_to(recipient: Address) -> bytes:
    """Return the Delivered-To field (RFC 9228 §3): where aliases led, and what tells a loop."""
    return f"Delivered-To: {recipient}\r\n".encode()


def _failed(reply: Reply) -> Outcome:
    return PermanentFailure(reply) if reply.permanent else TemporaryFailure(reply)


def _unreadable(error: StorageError) -> Outcome:
    return TemporaryFailure(Reply(451, "4.3.0", _one_line(f"mailbox unreadable: {error}")))


def _not_judged(error: Exception) -> Outcome:
    """What cannot be judged waits: nothing is let through unseen, and nothing is dropped."""
    reason = f"the junk filter failed: {type(error).__name__}"
    return TemporaryFailure(Reply(451, "4.3.0", _one_line(reason)))


def _one_line(text: str) -> str:
    return "".join(letter if letter >= " " and letter != "\x7f" else " " for letter in text)
