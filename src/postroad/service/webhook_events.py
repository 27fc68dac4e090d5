"""What webhooks are told: events of the journey, in words for others' programs. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from postroad.delivery.suppression import NOT_SENT
from postroad.model import (
    Accepted,
    Attempted,
    Bounced,
    Change,
    Clicked,
    Complained,
    Delivered,
    Delivery,
    Dropped,
    Message,
    Opened,
    PermanentFailure,
    PutOff,
    Reply,
    ServerKind,
    Step,
    Unknown,
    Unsubscribed,
    Webhook,
    WebhookKind,
    format_id,
)
from postroad.model.change import Result

Told: TypeAlias = tuple[WebhookKind, int, dict[str, Any]]
"""The kind, the delivery (ordinal) and what there is to say of it."""

_OURS = frozenset({ServerKind.SUBMISSION, ServerKind.LOCAL, ServerKind.API})


def about(change: Change) -> int | None:
    """Return the message that an event webhooks may be told of is about; None for all others."""
    match change:
        case Accepted():
            return change.message.id
        case Dropped() | PutOff():
            return change.keys[0][0]
        case Attempted() | Bounced() | Complained() | Opened() | Clicked() | Unsubscribed():
            return change.message
    return None


def told_of(change: Change) -> list[Told]:
    """Return what is to be told of one event, one for each recipient at most."""
    match change:
        case Accepted():
            return [(WebhookKind.ACCEPTED, each.ordinal, {}) for each in change.deliveries]
        case Attempted():
            return [_result(each, change.steps) for each in change.results]
        case PutOff():
            said = _reply(change.reply)
            return [(WebhookKind.DELAYED, ordinal, said) for _, ordinal in change.keys]
        case Dropped():
            why = {"reason": "dropped by an operator"}
            return [(WebhookKind.FAILED, ordinal, why) for _, ordinal in change.keys]
        case Bounced():
            said = {"category": change.category, "reporter": change.reporter}
            said |= {} if change.reply is None else _reply(change.reply)
            kind = WebhookKind.BOUNCED if change.failed else WebhookKind.DELAYED
            return [(kind, change.ordinal, said)]
        case Complained():
            said = {"feedback_type": change.feedback_type, "reporter": change.reporter}
            return [(WebhookKind.COMPLAINED, change.ordinal, said)]
        case Opened():
            return [(WebhookKind.OPENED, change.ordinal, {"machine": change.machine})]
        case Clicked():
            said = {"url": change.url, "machine": change.machine}
            return [(WebhookKind.CLICKED, change.ordinal, said)]
        case Unsubscribed():
            return [(WebhookKind.UNSUBSCRIBED, change.ordinal, {"how": change.how})]
    return []


def wants(webhook: Webhook, kind: WebhookKind, message: Message) -> bool:
    """Return whether a webhook is to be told: only of mail that came from senders of ours."""
    if message.origin.server not in _OURS or (webhook.kinds and kind not in webhook.kinds):
        return False
    if webhook.streams and message.stream not in webhook.streams:
        return False
    sender = message.envelope.sender
    return not webhook.domains or (sender is not None and sender.domain in webhook.domains)


def body(
    event: str,
    at: float,
    told: Told,
    message: Message,
    deliveries: Mapping[int, Delivery],
) -> str:
    """Return the JSON of one event."""
    kind, ordinal, said = told
    delivery = deliveries.get(ordinal)
    label = message.label
    data: dict[str, Any] = {
        "message": format_id(message.id),
        "message_id": message.message_id,
        "sender": str(message.envelope.sender or ""),
        "recipient": "" if delivery is None else str(delivery.original),
        "stream": message.stream,
        "tags": list(label.tags) if label else [],
        "metadata": dict(label.metadata) if label else {},
        **said,
    }
    return as_json(event, kind.value, at, data)


def as_json(event: str, kind: str, at: float, data: Mapping[str, Any]) -> str:
    """Return what is posted: the event's id, its kind, when it happened (RFC 3339), and the rest."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    told = {"id": event, "type": kind, "timestamp": moment.replace("+00:00", "Z"), "data": data}
    return msgspec.json.encode(told).decode()


def _result(result: Result, steps: Iterable[Step]) -> Told:
    outcome = result.outcome
    said = _reply(outcome.reply)
    kind = WebhookKind.DELAYED
    if isinstance(outcome, Delivered):
        kind = WebhookKind.DELIVERED
    elif isinstance(outcome, PermanentFailure):
        kind = WebhookKind.BOUNCED
        barred = outcome.reply.text.startswith(NOT_SENT)
        if barred and any(step.what == "suppressed" for step in steps):
            kind = WebhookKind.SUPPRESSED
    elif result.state.final:
        kind = WebhookKind.FAILED
    elif isinstance(outcome, Unknown):
        kind = WebhookKind.UNKNOWN
    return kind, result.ordinal, said


def _reply(reply: Reply) -> dict[str, Any]:
    return {"code": reply.code, "enhanced": reply.enhanced, "reply": reply.text}
