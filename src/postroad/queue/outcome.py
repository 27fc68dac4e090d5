"""What follows from an attempt: new states, the next try, and who must be told. Pure functions."""

from collections.abc import Callable

from msgspec import Struct

from postroad.message.dsn import Action
from postroad.model import (
    Delivered,
    Delivery,
    DeliveryState,
    LeasedDelivery,
    Message,
    Notify,
    Outcome,
    PermanentFailure,
    Reply,
    Result,
    RouteKind,
    TemporaryFailure,
    Unknown,
    outcome_of,
)
from postroad.ports import Attempt, RouteFailed
from postroad.queue.schedule import delay_notice_due, expiry, next_attempt
from postroad.queue.settings import QueueSettings, UnknownPolicy

EXPIRED_STATUS = "4.4.7"  # RFC 3463 §3.5: delivery time expired
_MISSING = Unknown(Reply(451, "4.3.0", "The attempt ended without an outcome"))


class Notice(Struct, frozen=True):
    """Something that the sender is to be told about one delivery."""

    action: Action
    delivery: Delivery
    reply: Reply
    status: str = ""
    will_retry_until: float | None = None


_DELIVERED = DeliveryState.DELIVERED
_DEFAULT = Notify.DEFAULT


class Judgement(Struct, frozen=True):
    """The results of an attempt, and the notices that follow."""

    results: tuple[Result, ...]
    notices: tuple[Notice, ...] = ()


def judge(
    leased: LeasedDelivery, attempt: Attempt, settings: QueueSettings, random: Callable[[], float]
) -> Judgement:
    """Return what an attempt means for each delivery of the job, in their order."""
    deliveries = leased.deliveries
    outcomes = attempt.outcomes
    if len(deliveries) == 1 and len(outcomes) == 1:
        ordinal, outcome = outcomes[0]
        delivery = deliveries[0]
        if (
            type(outcome) is Delivered
            and ordinal == delivery.ordinal
            and (delivery.notify is _DEFAULT or not delivery.notify.on_success)
        ):
            return Judgement((Result(ordinal, outcome, _DELIVERED),))
    found = dict(outcomes)
    has_sender = leased.message.envelope.sender is not None
    results: list[Result] = []
    notices: list[Notice] = []
    for delivery in deliveries:
        outcome = found.get(delivery.ordinal, _MISSING)
        result, notice = _judge_one(leased, delivery, outcome, attempt, settings, random)
        results.append(result)
        # Of what has no sender, only the end is to be noted (`Bouncer` says that nobody is told).
        if notice is not None and (has_sender or notice.action is Action.FAILED):
            notices.append(notice)
    return Judgement(tuple(results), tuple(notices))


def _judge_one(
    leased: LeasedDelivery,
    delivery: Delivery,
    outcome: Outcome,
    attempt: Attempt,
    settings: QueueSettings,
    random: Callable[[], float],
) -> tuple[Result, Notice | None]:
    ordinal = delivery.ordinal
    reply = outcome.reply
    if isinstance(outcome, Delivered):
        notice = None
        if delivery.notify.on_success and not (attempt.taken is not None and attempt.taken.dsn):
            notice = Notice(_success(attempt), delivery, reply)
        return Result(ordinal, outcome, DeliveryState.DELIVERED), notice
    if isinstance(outcome, PermanentFailure):
        notice = Notice(Action.FAILED, delivery, reply) if delivery.notify.on_failure else None
        return Result(ordinal, outcome, DeliveryState.BOUNCED), notice
    if holds(outcome, leased.message, settings):
        return Result(ordinal, outcome, DeliveryState.HELD), None
    message, now = leased.message, attempt.ended_at
    due_at = next_attempt(settings, message, delivery.attempts + 1, now, random())
    if due_at is None:
        notice = None
        if delivery.notify.on_failure:
            notice = Notice(Action.FAILED, delivery, reply, EXPIRED_STATUS)
        return Result(ordinal, outcome, DeliveryState.EXPIRED), notice
    if delay_notice_due(settings, message, delivery, now):
        until = expiry(settings, message)
        notice = Notice(Action.DELAYED, delivery, reply, "", until)
        return Result(ordinal, outcome, DeliveryState.DUE, due_at, True), notice
    return Result(ordinal, outcome, DeliveryState.DUE, due_at), None


def holds(outcome: Outcome, message: Message, settings: QueueSettings) -> bool:
    """Whether a delivery waits for an operator after this, by the policy of its message's stream."""
    return (
        isinstance(outcome, Unknown) and settings.unknown_of(message.stream) is UnknownPolicy.HOLD
    )


def _success(attempt: Attempt) -> Action:
    """RFC 3461 §5.2.2 and §5.3: delivered is final; relayed went to a server that does no DSN."""
    kind = attempt.taken.kind if attempt.taken is not None else RouteKind.LOCAL
    return Action.DELIVERED if kind in (RouteKind.LOCAL, RouteKind.LMTP) else Action.RELAYED


def same_for_all(
    leased: LeasedDelivery, outcome: Outcome, started_at: float, ended_at: float
) -> Attempt:
    """Return the attempt that came to the same for all deliveries of a job."""
    return Attempt(
        started_at, ended_at, tuple((each.ordinal, outcome) for each in leased.deliveries)
    )


def not_reached(
    leased: LeasedDelivery, failure: RouteFailed, started_at: float, ended_at: float
) -> Attempt:
    """Return the attempt of a job whose destination could not be reached, with the failure's changes."""
    outcome = outcome_of(failure.reply)
    if isinstance(outcome, Delivered):  # a failure is none of these, whatever its code says
        outcome = TemporaryFailure(Reply(451, "4.3.0", failure.reply.text))
    return Attempt(
        started_at,
        ended_at,
        tuple((each.ordinal, outcome) for each in leased.deliveries),
        failure.taken,
        failure.steps,
        failure.changes,
    )
