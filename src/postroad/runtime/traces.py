"""OpenTelemetry traces of messages, from their journeys (the extra ``postroad[otel]``).

A message makes one trace, sent when its last delivery has ended: a span from acceptance to that end, and
in it one for each attempt with its steps as events. Ids follow from the message's id, so a message has
the same trace whoever asks. A collector that does not answer costs the traces, which the log tells.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import structlog
from msgspec import Struct

from postroad.model import (
    Accepted,
    Attempted,
    Delivered,
    DeliveryState,
    Dropped,
    Message,
    PermanentFailure,
    TemporaryFailure,
    format_id,
)
from postroad.ports import JourneyEvent, JourneyStore, QueueStore

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

log = structlog.get_logger("postroad.traces")

MAX_SPANS = 100
_MAX_EVENTS = 100
_SECOND = 1_000_000_000  # in nanoseconds


class Trace(Struct, frozen=True):
    """One span: ids in octets (`parent` empty: the root), times in seconds since 1970, `events` as
    (time, what, text).
    """

    trace: bytes
    span: bytes
    parent: bytes
    name: str
    began: float
    ended: float
    attributes: dict[str, Any]
    events: tuple[tuple[float, str, str], ...] = ()
    failed: str = ""


class Tracer:
    """`follow.Teller`: sends the traces of messages that have ended."""

    def __init__(
        self, store: QueueStore, journey: JourneyStore, exporter: "SpanExporter", hostname: str
    ) -> None:
        from opentelemetry.sdk.resources import Resource

        self._store = store
        self._journey = journey
        self._exporter = exporter
        attributes = {"service.name": "postroad", "service.instance.id": hostname}
        self._resource = Resource.create(attributes)

    async def tell(self, events: Sequence[JourneyEvent]) -> None:
        """Send the traces of messages that ended with these events. Raises `StorageError`."""
        spans: list[ReadableSpan] = []
        for message in dict.fromkeys(number for event in events for number in _ended(event)):
            deliveries = await self._store.deliveries(message)
            if deliveries and all(each.state.final for each in deliveries):
                found = traces(await self._journey.events(message))
                spans += [_readable(each, self._resource) for each in found]
        if not spans:
            return
        from opentelemetry.sdk.trace.export import SpanExportResult

        result = await asyncio.to_thread(self._exporter.export, spans)
        if result is not SpanExportResult.SUCCESS:
            log.warning("traces could not be sent", spans=len(spans))


def make_exporter(endpoint: str, seconds: float) -> "SpanExporter":
    """Return what sends to a collector (OTLP over HTTP); the configuration saw that it is installed."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=endpoint, timeout=seconds)


def traces(events: Sequence[JourneyEvent]) -> list[Trace]:
    """Return the spans of a message, the root first; none where its beginning is not known."""
    message: Message | None = None
    recipients: dict[int, str] = {}
    attempts: list[Attempted] = []
    ended = 0.0
    for event in events:
        change = event.change
        if isinstance(change, Accepted):
            message = change.message
            recipients = {each.ordinal: str(each.recipient) for each in change.deliveries}
        elif isinstance(change, Attempted):
            attempts.append(change)
            ended = max(ended, change.at)
        elif isinstance(change, Dropped):
            ended = max(ended, change.at)
    if message is None:
        return []
    trace = _digest(message, "trace", 16)
    root = Trace(
        trace,
        _digest(message, "message", 8),
        b"",
        "message",
        message.accepted_at,
        max(ended, message.accepted_at),
        {
            "postroad.id": format_id(message.id),
            "postroad.stream": message.stream,
            "postroad.server": message.origin.server.value,
            "postroad.octets": message.content.size,
            "postroad.recipients": len(recipients),
            "messaging.message.id": message.message_id,
        },
    )
    return [
        root,
        *(
            _attempt(message, number, change, root, recipients)
            for number, change in enumerate(attempts[:MAX_SPANS])
        ),
    ]


def _attempt(
    message: Message, number: int, change: Attempted, root: Trace, recipients: dict[int, str]
) -> Trace:
    taken = change.taken
    attributes: dict[str, Any] = {"postroad.id": format_id(message.id)}
    if taken is not None:
        attributes |= {
            "postroad.route": taken.kind.value,
            "server.address": taken.host,
            "network.peer.address": taken.address,
            "network.peer.port": taken.port,
            "network.local.address": taken.source,
            "tls.protocol.version": taken.tls or "",
        }
    steps = [(change.started_at + each.seconds, each.what, each.text) for each in change.steps]
    failed = ""
    for result in change.results:
        what = _WORDS.get(type(result.outcome), "unknown")
        if result.state is DeliveryState.EXPIRED:
            what = "expired"
        reply = str(result.outcome.reply)
        steps.append((change.at, what, f"{recipients.get(result.ordinal, '?')}: {reply}"))
        if not isinstance(result.outcome, Delivered):
            failed = reply
    return Trace(
        root.trace,
        _digest(message, f"attempt {number}", 8),
        root.span,
        "attempt",
        change.started_at,
        change.at,
        attributes,
        tuple(steps[:_MAX_EVENTS]),
        failed,
    )


_WORDS = {Delivered: "delivered", TemporaryFailure: "deferred", PermanentFailure: "bounced"}


def _ended(event: JourneyEvent) -> list[int]:
    change = event.change
    if isinstance(change, Attempted):
        return [change.message] if any(each.state.final for each in change.results) else []
    if isinstance(change, Dropped):
        return [message for message, _ in change.keys]
    return []


def _digest(message: Message, what: str, octets: int) -> bytes:
    return hashlib.sha256(f"{message.id} {what}".encode()).digest()[:octets]


def _readable(each: Trace, resource: Any) -> "ReadableSpan":
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    def context(span: bytes) -> SpanContext:
        trace = int.from_bytes(each.trace, "big")
        flags = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(trace, int.from_bytes(span, "big"), is_remote=False, trace_flags=flags)

    return ReadableSpan(
        name=each.name,
        context=context(each.span),
        parent=context(each.parent) if each.parent else None,
        resource=resource,
        attributes=each.attributes,
        events=[
            Event(what, {"text": text}, timestamp=round(at * _SECOND))
            for at, what, text in each.events
        ],
        kind=SpanKind.CLIENT if each.parent else SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR, each.failed) if each.failed else Status(StatusCode.OK),
        start_time=round(each.began * _SECOND),
        end_time=round(each.ended * _SECOND),
    )
