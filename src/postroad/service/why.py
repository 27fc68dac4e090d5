"""Why a delivery does not move, in one sentence: from the store, and from how the queue stands.

`sentence` is a pure function of what `Standing` gathers, so each answer has its test.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from postroad.message.bounce.classify import Category
from postroad.model import (
    DEFAULT_STREAM,
    Accepted,
    Delivery,
    DeliveryState,
    Dropped,
    Message,
    PutOff,
    Reply,
    Retried,
    Suppression,
    format_id,
)
from postroad.ports import (
    Clock,
    JourneyEvent,
    JourneyStore,
    Lease,
    QueueStore,
    SuppressionStore,
)
from postroad.queue.look import DestinationLook, LaneLook, QueueLook
from postroad.queue.recovery import without_flight
from postroad.service.errors import Refused
from postroad.service.history import Hold, fold
from postroad.service.journeys import Classify

_LATE_SECONDS = 5.0
_NO_DNS = ("4.4.3", "4.4.4")


class Standing(Struct, frozen=True):
    """All that bears on one delivery at the moment `now` (seconds since 1970). `looks` are how the
    queues of running processes stand, none where no server runs; `pools` tells whence mail of a stream
    leaves; `put_off` is the last thing that happened, if that was it; `told` is what else than its
    sender made it wait; `ended` by whom it was ended, if it was.
    """

    now: float
    message: Message
    delivery: Delivery
    looks: tuple[QueueLook, ...] = ()
    hold: Hold | None = None
    lease: Lease | None = None
    put_off: PutOff | None = None
    suppression: Suppression | None = None
    category: Category = Category.UNKNOWN
    pool: str = ""
    told: str = ""
    ended: str = "dropped by an operator"


class Why:
    """Answers."""

    def __init__(
        self,
        *,
        store: QueueStore,
        journey: JourneyStore,
        suppressions: SuppressionStore,
        clock: Clock,
        classify: Classify,
        lists: Sequence[str] = (),
        pools: dict[str, str] | None = None,
    ) -> None:
        self._store = store
        self._journey = journey
        self._suppressions = suppressions
        self._clock = clock
        self._classify = classify
        self._lists = frozenset(lists)  # streams that keep a suppression list
        self._pools = pools or {}

    async def of(self, message: int, looks: Sequence[QueueLook]) -> list[tuple[Delivery, str]]:
        """Return each delivery of a message with a sentence. Raises `Refused` where it is not known."""
        found = await self._store.message(message)
        if found is None:
            raise Refused(f"there is no message {format_id(message)} here")
        events = await self._journey.events(message)
        past = fold(events, float("inf"))
        leases = {each.ordinal: each for each in await self._store.leases(message)}
        last = events[-1].change if events else None
        listed: dict[str, Suppression] = {}
        deliveries = await self._store.deliveries(message)
        if found.stream in self._lists:
            entries = await self._suppressions.of(
                found.stream, [each.recipient for each in deliveries]
            )
            listed = {each.address.folded: each for each in entries}
        answers = []
        for each in deliveries:
            key = (message, each.ordinal)
            held = past.holds.get(each.ordinal) if past is not None else None
            told = self._classify(each.last, "") if each.last is not None else None
            standing = Standing(
                now=self._clock.now(),
                message=found,
                delivery=each,
                looks=tuple(looks),
                hold=held,
                lease=leases.get(each.ordinal),
                put_off=last if isinstance(last, PutOff) and key in last.keys else None,
                suppression=listed.get(each.recipient.folded),
                category=told.category if told is not None else Category.UNKNOWN,
                pool=self._pools.get(found.stream, self._pools.get(DEFAULT_STREAM, "")),
                told=_told(events, key),
                ended=_ended(events, key),
            )
            answers.append((each, sentence(standing)))
        return answers


def sentence(standing: Standing) -> str:
    """Return why a delivery does not move, or what became of it."""
    delivery = standing.delivery
    match delivery.state:
        case DeliveryState.DELIVERED:
            return f"It was delivered{_said(delivery.last)}."
        case DeliveryState.DROPPED:
            return f"It was {standing.ended}, for good."
        case DeliveryState.BOUNCED if standing.category is Category.SUPPRESSED:
            return (
                f"It was not sent, as {delivery.recipient} is on the suppression list of stream "
                f"{standing.message.stream}."
            )
        case DeliveryState.BOUNCED:
            return f"It was refused for good{_said(delivery.last)}{_meant(standing.category)}."
        case DeliveryState.EXPIRED:
            return f"It was given up after {_tries(delivery)}{_said(delivery.last)}."
        case DeliveryState.HELD:
            return _held(standing)
        case DeliveryState.LEASED:
            return _leased(standing)
    if standing.suppression is not None:
        listed = standing.suppression
        return (
            f"It will not be sent, as {delivery.recipient} is on the suppression list of stream "
            f"{standing.message.stream} since {_when(listed.since)} ({listed.reason.value})."
        )
    if delivery.due_at > standing.now:
        return _not_yet(standing)
    return _due(standing)


def _held(standing: Standing) -> str:
    key = f"{format_id(standing.delivery.message)}/{standing.delivery.ordinal}"
    hold = standing.hold
    since = f" since {_when(hold.at)}" if hold is not None else ""
    mend = f"postroad queue release {key}"
    if hold is None or hold.unknown:
        return (
            f"It is held{since} because nobody knows whether it was delivered, and its stream does not "
            f"risk a second copy; release it with: {mend}."
        )
    return f"It is held{since} by {hold.by}; release it with: {mend}."


def _leased(standing: Standing) -> str:
    lease = standing.lease
    if lease is None:
        return "It is being tried just now."
    node = without_flight(lease.node)
    if not standing.looks:
        return (
            f"It was in the hands of {node}, which does not run here now; it is due again when that "
            f"starts, or at {_when(lease.until)} at the latest."
        )
    found = _destination(standing)
    if found is not None and not found.left_alone_until:
        if found.slowed_by or (found.waiting and found.allowed_per_minute):
            return f"It is in the hands of {node} and waits its turn: {_slow(found)}."
        if found.waiting:
            return (
                f"It is in the hands of {node} and waits its turn behind up to {found.waiting} others "
                f"for {found.provider}, which gets {_sessions(found.limit)}."
            )
    return f"It is being tried just now by {node}, whose lease ends at {_when(lease.until)}."


def _not_yet(standing: Standing) -> str:
    delivery = standing.delivery
    when = _when(delivery.due_at)
    if standing.put_off is not None:
        return f"It waits until {when} because {standing.put_off.reply.text}."
    if not delivery.attempts:
        return f"It is not due before {when}, {standing.told or 'as its sender asked'}."
    last = delivery.last
    if last is not None and last.enhanced in _NO_DNS:
        return f"It waits until {when} because the DNS does not help{_said(last)}."
    return (
        f"It is not due before {when}, as {_tries(delivery)} failed{_said(last)}"
        f"{_meant(standing.category)}."
    )


def _told(events: Sequence[JourneyEvent], key: tuple[int, int]) -> str:
    """Who moved a delivery last, or what made it wait when it was accepted."""
    for event in reversed(events):
        change = event.change
        if isinstance(change, Retried) and key in change.keys:
            return f"as {change.by} asked"
        if isinstance(change, Accepted):
            quiet = [each.reason for each in change.rulings if each.check == "quiet-hours"]
            return f"because of {quiet[0]}" if quiet else ""
    return ""


def _ended(events: Sequence[JourneyEvent], key: tuple[int, int]) -> str:
    """Who ended a delivery, and how."""
    for event in reversed(events):
        change = event.change
        if isinstance(change, Dropped) and key in change.keys:
            return f"{'cancelled' if change.cancelled else 'dropped'} by {change.by}"
    return "dropped by an operator"


def _due(standing: Standing) -> str:
    delivery, now = standing.delivery, standing.now
    since = f"It is due since {_when(delivery.due_at)}"
    if not standing.looks:
        return f"{since}, and no server works on this store; start it with: postroad serve."
    lane = _lane(standing)
    if lane is not None:
        return (
            f"{since} and waits until {_when(lane.until)} because no way to {lane.domain} is found"
            f"{_said(lane.reply)}."
        )
    found = _destination(standing)
    if found is not None and found.left_alone_until > now and found.reply is not None:
        return (
            f"{since} and waits until {_when(found.left_alone_until)} because {found.provider} is left "
            f"alone after {_times(found.failures)}{_said(found.reply)}."
        )
    if found is not None and (found.slowed_by or found.allowed_per_minute):
        return f"{since} and waits its turn: {_slow(found)}."
    if found is not None and found.waiting:
        return (
            f"{since} and waits behind {found.waiting} others for {found.provider}, which gets "
            f"{_sessions(found.limit)}."
        )
    if now - delivery.due_at > _LATE_SECONDS:
        hand = sum(each.in_memory for each in standing.looks)
        return f"{since}, and the server has {hand} others in hand before it."
    return f"{since}, and the server takes it up within seconds."


def _lane(standing: Standing) -> LaneLook | None:
    for look in standing.looks:
        for lane in look.lanes:
            if (lane.domain, lane.pool) == (standing.delivery.destination, standing.pool):
                return lane
    return None


def _destination(standing: Standing) -> DestinationLook | None:
    for look in standing.looks:
        for each in look.destinations:
            # What is no MX route leaves from no pool.
            if standing.delivery.destination in each.domains and each.pool in ("", standing.pool):
                return each
    return None


def _slow(found: DestinationLook) -> str:
    if not found.slowed_by:
        return (
            f"{found.provider} gets {found.allowed_per_minute:g} messages a minute of this server "
            f"(providers.{found.provider}.per_minute)"
        )
    if not found.per_minute:
        return (
            f"{found.provider} asked us to slow down ({found.slowed_by}) and gets "
            f"{_sessions(found.limit)}"
        )
    return (
        f"{found.provider} asked us to slow down ({found.slowed_by}) and gets "
        f"{found.per_minute:g} messages a minute"
    )


def _sessions(count: int) -> str:
    return f"{count} connection{'' if count == 1 else 's'} at most"


def _times(count: int) -> str:
    return "a failure" if count == 1 else f"{count} failures"


def _tries(delivery: Delivery) -> str:
    return "1 try" if delivery.attempts == 1 else f"{delivery.attempts} tries"


def _said(reply: Reply | None) -> str:
    return "" if reply is None else f": {str(reply).rstrip('.')}".replace("\n", " / ")


def _meant(category: Category) -> str:
    return "" if category is Category.UNKNOWN else f" ({category.value})"


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
