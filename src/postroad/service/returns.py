"""What comes back to return paths of ours: bounces and complaints, noted with what they are about.

It is a destination of the queue like the mailboxes: the message that tells is accepted durably, read,
and what it says is committed with the outcome of its delivery, so it happens exactly once. Only who got
a message of ours knows its return path, and the path says which message it is about; so nobody can speak
for the mail of others. What is no bounce and no complaint ends here, and no report is made of that: its
sender may be forged.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from msgspec import Struct

from postroad.message.bounce import (
    MAX_READ_OCTETS,
    Form,
    Notice,
    NoticeRecipient,
    read_notice,
    reply_of,
)
from postroad.message.bounce.classify import Category, Classification
from postroad.model import (
    MAX_EVIDENCE,
    Address,
    Bounced,
    Change,
    Complained,
    ContentRef,
    Delivered,
    Delivery,
    InvalidAddress,
    LeasedDelivery,
    Message,
    Outcome,
    PermanentFailure,
    Reply,
    Route,
    RouteKind,
    RouteTaken,
    Suppressed,
    Suppression,
    SuppressionReason,
    TemporaryFailure,
    format_id,
)
from postroad.ports import (
    Attempt,
    Clock,
    ContentStore,
    JourneyStore,
    QueueStore,
    RouteFailed,
    Session,
    StorageError,
)
from postroad.service.departures import Departures
from postroad.service.recipients import RETURNS, Target
from postroad.trust.return_path import ReturnPathInvalid, ReturnPaths, ReturnTo, looks_like_one

Classify: TypeAlias = Callable[[Reply, str], Classification]

MAX_TOLD = 10
"""How often the journey of a message notes what comes back of one delivery."""

_READ_OCTETS = 256 * 1024
_ROUTE = Route(kind=RouteKind.LOCAL, domain=RETURNS, key=RETURNS, expires_at=float("inf"))
_TAKEN = RouteTaken(RouteKind.LOCAL, host=RETURNS)
_NOT_ONE = PermanentFailure(
    Reply(550, "5.6.0", "only bounces and complaints are taken at this address")
)
_NOT_OURS = PermanentFailure(Reply(550, "5.1.1", "this is about no mail of ours"))
_FORGOTTEN = Delivered(Reply(250, "2.0.0", "noted nowhere: its message is no longer known"))
_TOLD = Delivered(Reply(250, "2.0.0", "noted nowhere: it was told often enough"))
_NOTHING = Delivered(Reply(250, "2.0.0", "noted nowhere: it tells of no trouble"))
_UNREADABLE = TemporaryFailure(Reply(451, "4.3.0", "the store cannot be read"))
_COMPLAINTS = frozenset({"abuse", "fraud", "opt-out", "opt-out-list", "other", ""})


class ReturnAddresses:
    """Which addresses are return paths of ours: those made of `bases` by `paths`, those of `leaving`
    where recipients unsubscribe, and the addresses that `complaints` go to (all folded).
    """

    def __init__(
        self,
        paths: ReturnPaths,
        clock: Clock,
        *,
        bases: Collection[str] = (),
        complaints: Collection[str] = (),
        leaving: Collection[str] = (),
    ) -> None:
        self._paths = paths
        self._clock = clock
        self._leaving = frozenset(leaving)
        self._bases = frozenset(bases) | self._leaving
        self._complaints = frozenset(complaints)

    def __bool__(self) -> bool:
        return bool(self._bases or self._complaints)

    def look(self, address: Address) -> tuple[Target, ...] | Reply | None:
        """Return where mail for an address goes, the refusal of one that is forged or too old, None for
        any other address.
        """
        if address.folded in self._complaints:
            return (Target(address, address, RETURNS, None),)
        if not looks_like_one(address) or _base(address).folded not in self._bases:
            return None
        try:
            self.read(address)
        except ReturnPathInvalid:
            return Reply(550, "5.1.1", f"<{address}> No such user here")
        return (Target(address, address, RETURNS, None),)

    def is_leaving(self, address: Address) -> bool:
        """Whether who writes to an address wants to unsubscribe."""
        return bool(self._leaving) and _base(address).folded in self._leaving

    def read(self, address: Address) -> ReturnTo:
        """Return what a return path stands for. Raises `ReturnPathInvalid`."""
        if _base(address).folded not in self._bases:
            raise ReturnPathInvalid("it is none of ours")
        return self._paths.read(address, self._clock.now())


class Returns:
    """`ports.Deliverer` of the destination `RETURNS`. Hard bounces and complaints about the mail of the
    streams `suppressing` put the recipient on the list of the stream.
    """

    def __init__(
        self,
        addresses: ReturnAddresses,
        *,
        content: ContentStore,
        queue: QueueStore,
        journey: JourneyStore,
        classify: Classify,
        clock: Clock,
        suppressing: Collection[str] = (),
        departures: Departures,
    ) -> None:
        self._departures = departures
        self._addresses = addresses
        self._content = content
        self._queue = queue
        self._journey = journey
        self._classify = classify
        self._clock = clock
        self._suppressing = frozenset(suppressing)

    async def at_once(self, job: LeasedDelivery) -> Attempt | None:
        """Never: it has to be read."""
        return None

    async def route(self, destination: str) -> Route:
        """Return the way. Raises `RouteFailed` for any other destination."""
        if destination != RETURNS:
            raise RouteFailed(Reply(550, "5.4.4", f"{destination} is not delivered to here"))
        return _ROUTE

    async def connect(self, route: Route) -> Session:
        """Return a session; nothing has to be opened."""
        return _ReturnsSession(self)

    async def take(self, job: LeasedDelivery) -> Attempt:
        """Read one message and say what follows from it."""
        started_at = self._clock.now()
        outcomes: list[tuple[int, Outcome]] = []
        changes: list[Change] = []
        ours = False
        try:
            data = await self._read(job.message.content)
            # By a thread: hostile mail may take a tenth of a second.
            notice = await asyncio.to_thread(read_notice, data)
            for delivery in job.deliveries:
                found = await self._one(job.message, delivery, notice)
                outcomes.append((delivery.ordinal, found.outcome))
                changes += found.changes
        except StorageError:
            outcomes = [(each.ordinal, _UNREADABLE) for each in job.deliveries]
            changes, ours = [], True
        return Attempt(
            started_at,
            self._clock.now(),
            tuple(outcomes),
            taken=_TAKEN,
            changes=tuple(changes),
            ours=ours,
        )

    async def _one(self, report: Message, delivery: Delivery, notice: Notice | None) -> "_Found":
        if self._addresses.is_leaving(delivery.recipient):
            return await self._unsubscribed(delivery.recipient, notice)
        if notice is None:
            return _Found(_NOT_ONE)
        to = self._stands_for(delivery.recipient, notice)
        if to is None:
            return _Found(_NOT_OURS)
        about = await self._queue.message(to.message)
        if about is None:
            return _Found(_FORGOTTEN)
        there = {each.ordinal: each for each in await self._queue.deliveries(about.id)}
        told = _matched(to, there, notice)
        if not told:
            return _Found(_NOTHING)
        often = await self._often(about.id)
        fresh = [(each, said) for each, said in told if often.get(each.ordinal, 0) < MAX_TOLD]
        if not fresh:
            return _Found(_TOLD)
        if notice.form is Form.FEEDBACK:
            return self._complained(report, about, fresh, notice)
        return self._bounced(report, about, fresh, notice)

    async def _unsubscribed(self, address: Address, notice: Notice | None) -> "_Found":
        """What List-Unsubscribe says goes there (RFC 2369 §3.2): any mail does, but no report."""
        if notice is not None:
            return _Found(_NOT_ONE)
        try:
            to = self._addresses.read(address)
        except ReturnPathInvalid:
            return _Found(_NOT_OURS)
        about = await self._queue.message(to.message)
        if about is None:
            return _Found(_FORGOTTEN)
        there = {each.ordinal: each for each in await self._queue.deliveries(about.id)}
        delivery = there.get(to.ordinal or 0)
        if delivery is None:
            return _Found(_NOT_OURS)
        found = await self._departures.of(
            about.id, delivery.ordinal, about.stream, delivery.recipient, "mail"
        )
        return _noted(about, [f"{delivery.recipient} unsubscribed"], list(found))

    def _stands_for(self, address: Address, notice: Notice) -> ReturnTo | None:
        """What the message came back to or, of a complaint, what the mail complained of left under."""
        paths = [address]
        if not looks_like_one(address) and notice.form is Form.FEEDBACK:
            paths = [each for each in map(_parsed, notice.return_paths) if each is not None]
        for path in paths:
            try:
                return self._addresses.read(path)
            except ReturnPathInvalid:
                continue
        return None

    def _bounced(
        self, report: Message, about: Message, told: "list[_Told]", notice: Notice
    ) -> "_Found":
        now = self._clock.now()
        changes: list[Change] = []
        words = []
        for delivery, said in told:
            reply = reply_of(said)
            meant = Classification(Category.UNKNOWN, said.failed)
            if reply is not None:
                meant = self._classify(reply, said.remote_mta)
            changes.append(
                Bounced(
                    now,
                    about.id,
                    delivery.ordinal,
                    report.id,
                    said.failed,
                    reply,
                    meant.category.value,
                    meant.permanent,
                    notice.reporting_mta,
                )
            )
            if said.failed and meant.hard:
                evidence = f"{format_id(about.id)}: {reply}, by {format_id(report.id)}"
                changes += self._listed(about, delivery, SuppressionReason.HARD_BOUNCE, evidence)
            words.append(f"{delivery.recipient} {'bounced' if said.failed else 'is late'}")
        return _noted(about, words, changes)

    def _complained(
        self, report: Message, about: Message, told: "list[_Told]", notice: Notice
    ) -> "_Found":
        if notice.feedback_type not in _COMPLAINTS:
            return _Found(_NOTHING)
        now = self._clock.now()
        changes: list[Change] = []
        words = []
        kind, reporter = notice.feedback_type, notice.reporting_mta
        for delivery, _ in told:
            changes.append(Complained(now, about.id, delivery.ordinal, report.id, kind, reporter))
            evidence = f"{format_id(about.id)}: {kind or 'complaint'}, by {format_id(report.id)}"
            changes += self._listed(about, delivery, SuppressionReason.COMPLAINT, evidence)
            words.append(f"{delivery.recipient} complained")
        return _noted(about, words, changes)

    def _listed(
        self, about: Message, delivery: Delivery, reason: SuppressionReason, evidence: str
    ) -> list[Change]:
        if about.stream not in self._suppressing:
            return []
        now = self._clock.now()
        entry = Suppression(delivery.recipient, about.stream, reason, evidence[:MAX_EVIDENCE], now)
        return [Suppressed(now, (entry,))]

    async def _often(self, message: int) -> dict[int, int]:
        counts: dict[int, int] = {}
        for event in await self._journey.events(message):
            change = event.change
            if isinstance(change, Bounced | Complained):
                counts[change.ordinal] = counts.get(change.ordinal, 0) + 1
        return counts

    async def _read(self, ref: ContentRef) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while size < MAX_READ_OCTETS:
            limit = min(_READ_OCTETS, MAX_READ_OCTETS - size)
            piece = await self._content.read(ref, size, limit)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)


class _ReturnsSession:
    """`ports.Session`: reads one message after the other."""

    batch = 10
    usable = True

    def __init__(self, returns: Returns) -> None:
        self._returns = returns

    async def attempt(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        """Make one attempt for each job."""
        return [await self._returns.take(job) for job in jobs]

    async def close(self) -> None:
        """There is nothing to end."""


class _Found(Struct, frozen=True):
    """What one message came to at one return path."""

    outcome: Outcome
    changes: tuple[Change, ...] = ()


_Told: TypeAlias = tuple[Delivery, NoticeRecipient]


def _noted(about: Message, words: list[str], changes: list[Change]) -> _Found:
    text = f"noted with {format_id(about.id)}: {', '.join(words)}"
    return _Found(Delivered(Reply(250, "2.0.0", text)), tuple(changes))


def _matched(to: ReturnTo, there: dict[int, Delivery], notice: Notice) -> list[_Told]:
    """Which deliveries the notice is about, and what it says of each.

    A return path of one delivery is about that, whatever address the notice writes: mail may have been
    passed on. One of several needs an address that fits.
    """
    said = [each for each in notice.recipients if not each.delivered or _complaint(notice)]
    by_address: dict[str, Delivery] = {}
    for delivery in there.values():
        by_address.setdefault(delivery.original.folded, delivery)
        by_address.setdefault(delivery.recipient.folded, delivery)
    fitting: list[_Told] = []
    for each in said:
        parsed = _parsed(each.address)
        found = by_address.get(parsed.folded) if parsed is not None else None
        if found is not None:
            fitting.append((found, each))
    if to.ordinal is None:
        return list({delivery.ordinal: (delivery, each) for delivery, each in fitting}.values())
    only = there.get(to.ordinal)
    if only is None:
        return []
    own = [each for delivery, each in fitting if delivery.ordinal == to.ordinal]
    if not own and not said and _complaint(notice):
        own = [NoticeRecipient(address=str(only.recipient))]  # providers often name nobody
    return [(only, each) for each in (own or said)[:1]]


def _complaint(notice: Notice) -> bool:
    return notice.form is Form.FEEDBACK


def _base(address: Address) -> Address:
    return Address(address.local_part.rpartition("+")[0], address.domain)


def _parsed(text: str) -> Address | None:
    try:
        return Address.parse(text)
    except InvalidAddress:
        return None
