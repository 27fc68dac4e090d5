"""The journey of a message, in words an operator understands."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from msgspec import Struct, to_builtins

from postroad.message.bounce.classify import Category, Classification, classify
from postroad.model import (
    DEFAULT_STREAM,
    INBOX,
    JUNK,
    Accepted,
    Attempted,
    Bounced,
    Change,
    Clicked,
    Complained,
    Delivered,
    Delivery,
    DeliveryState,
    Deposited,
    Dropped,
    Held,
    Message,
    Moved,
    Opened,
    Outcome,
    PermanentFailure,
    PutOff,
    Reply,
    Result,
    Retried,
    RouteKind,
    RouteTaken,
    Ruling,
    ServerKind,
    TemporaryFailure,
    Unsubscribed,
    format_id,
)
from postroad.ports import JourneyStore, QueueStore
from postroad.service.errors import Refused
from postroad.service.links import link_words
from postroad.service.reading import words_of_reading

Classify: TypeAlias = Callable[[Reply, str], Classification]
"""Returns what a reply of a server, whose name may be ``""``, means."""


_Places: TypeAlias = Mapping[int, tuple[int | None, str]]  # of each ordinal: mailbox, folder


class JourneyLine(Struct, frozen=True):
    """One thing that happened: when (seconds since 1970), how long after acceptance, what, in words.

    `what` is one of ``accepted``, ``scheduled``, ``check``, ``split``, the steps of an attempt
    (``lookup``, ``connect`` …), ``link`` (the rule that its link was under, and what came of it),
    ``delivered``, ``deferred``, ``bounced``, ``expired``, ``unknown``, ``deposited``, ``moved``,
    ``held``, ``retried``, ``rescheduled``, ``put off``, ``dropped``, ``reported``, ``delayed`` and
    ``complained`` (what came back later; so may ``bounced``).
    """

    at: float
    seconds: float
    what: str
    text: str


class Journey(Struct, frozen=True):
    """A message, its deliveries as they stand now, and what happened to it. `categories` tell what the
    last reply to each delivery means, as `category_of`.
    """

    message: Message
    deliveries: tuple[Delivery, ...]
    lines: tuple[JourneyLine, ...]
    categories: tuple[str | None, ...]

    def to_plain(self) -> dict[str, object]:
        """Return what ``--json`` prints: plain values, ids as letters, addresses as text."""
        message = self.message
        return {
            "id": format_id(message.id),
            "message_id": message.message_id,
            "sender": str(message.envelope.sender or ""),
            "accepted_at": message.accepted_at,
            "size": message.content.size,
            "stream": message.stream,
            "origin": to_builtins(message.origin),
            "deliveries": [
                delivery_to_plain(each, category)
                for each, category in zip(self.deliveries, self.categories, strict=True)
            ],
            "journey": [to_builtins(line) for line in self.lines],
        }


class Journeys:
    """Reads journeys."""

    def __init__(
        self,
        *,
        journey: JourneyStore,
        queue: QueueStore,
        classify: Classify = classify,
    ) -> None:
        self._classify = classify
        self._journey = journey
        self._queue = queue

    async def of(self, message: int) -> Journey:
        """Return the journey of a message. Raises `Refused` where it is not known here."""
        found = await self._queue.message(message)
        if found is None:
            raise Refused(
                f"there is no message {format_id(message)} here; "
                "search by postroad journey --message-id or --to"
            )
        deliveries = await self._queue.deliveries(message)
        recipients = {delivery.ordinal: str(delivery.recipient) for delivery in deliveries}
        places = {each.ordinal: (each.mailbox, each.folder) for each in deliveries}
        lines = [
            line
            for event in await self._journey.events(message)
            for line in _lines(event.change, found.accepted_at, recipients, places, self._classify)
        ]
        lines.sort(key=lambda line: line.at)  # stable: equal times keep the order of commits
        categories = tuple(category_of(each, self._classify) for each in deliveries)
        return Journey(found, tuple(deliveries), tuple(lines), categories)

    async def find(
        self, *, message_id: str | None = None, address: str | None = None, limit: int = 20
    ) -> list[Message]:
        """Return messages by Message-ID header or by sender or recipient address, newest first."""
        return await self._journey.find(message_id=message_id, address=address, limit=limit)


def category_of(delivery: Delivery, classify: Classify) -> str | None:
    """Return the category of a delivery's last reply, None where that is none of a failure."""
    last = delivery.last
    if last is None or last.code < 400:
        return None
    return classify(last, "").category.value


def delivery_to_plain(delivery: Delivery, category: str | None) -> dict[str, object]:
    """Return a delivery as plain values for ``--json``; `category` is what `category_of` returns."""
    return {
        "id": format_id(delivery.message),
        "ordinal": delivery.ordinal,
        "recipient": str(delivery.recipient),
        "original": str(delivery.original),
        "local_part": delivery.recipient.local_part,
        "domain": delivery.recipient.domain,
        "destination": delivery.destination,
        "state": delivery.state.value,
        "due_at": delivery.due_at,
        "attempts": delivery.attempts,
        "last_reply": str(delivery.last) if delivery.last else None,
        "category": category,
    }


def _lines(
    change: Change,
    accepted_at: float,
    recipients: Mapping[int, str],
    places: _Places,
    classify: Classify,
) -> Iterator[JourneyLine]:
    for at, what, text in _words(change, recipients, places, classify):
        yield JourneyLine(at, round(at - accepted_at, 6), what, text)


def _words(
    change: Change,
    recipients: Mapping[int, str],
    places: _Places,
    classify: Classify,
) -> Iterator[tuple[float, str, str]]:
    match change:
        case Accepted():
            yield from _accepted(change)
        case Attempted():
            # The steps of a connection that was kept from before are told with its first message.
            taken = change.taken
            # A mailbox here is no connection: its deposit is told by `Deposited`.
            if (
                taken is not None
                and taken.kind is not RouteKind.LOCAL
                and (taken.reused or not change.steps)
            ):
                yield change.started_at, "connect", _way(taken)
            for step in change.steps:
                yield change.started_at + step.seconds, step.what, step.text
            link = link_words(change)
            if link:
                yield change.at, "link", link
            host = taken.host if taken is not None else ""
            for result in change.results:
                recipient = recipients.get(result.ordinal, "?")
                yield (
                    change.at,
                    *_result(result, recipient, meaning(result.outcome, host, classify)),
                )
        case Deposited():
            recipient = recipients.get(change.ordinal, "?")
            inbox, folder = places.get(change.ordinal, (change.mailbox, ""))
            if not folder:  # where it was not to go beside the INBOX, only the junk filter sends it
                folder = INBOX if change.mailbox == inbox else JUNK
            yield change.at, "deposited", f"in the {folder} of {recipient}, {change.size} octets"
        case Moved():
            yield (
                change.at,
                "moved",
                f"from {change.from_name} into {change.into_name}, by {change.by}",
            )
        case Held() | Retried() | Dropped():
            words = {
                Held: ("held", "held until released"),
                Retried: ("retried", "due at once"),
                Dropped: ("dropped", "dropped for good, no report"),
            }
            what, text = words[type(change)]
            if isinstance(change, Retried) and change.due_at:
                what, text = "rescheduled", f"due at {_clock(change.due_at)}"
            elif isinstance(change, Dropped) and change.cancelled:
                text = "cancelled before it was sent, no report"
            names = ", ".join(recipients.get(ordinal, "?") for _, ordinal in change.keys)
            yield change.at, what, f"{names}: {text}, by {change.by}"
        case PutOff():
            names = ", ".join(recipients.get(ordinal, "?") for _, ordinal in change.keys)
            text = f"{names}: {change.reply.text}; waits until {_clock(change.due_at)}"
            yield change.at, "put off", text
        case Bounced() | Complained():
            yield change.at, *_came_back(change, recipients.get(change.ordinal, "?"))
        case Opened() | Clicked() | Unsubscribed():
            yield change.at, *words_of_reading(change, recipients.get(change.ordinal, "?"))
        case _:
            return


def _accepted(change: Accepted) -> Iterator[tuple[float, str, str]]:
    message = change.message
    origin = message.origin
    sender = f"<{message.envelope.sender or ''}>"
    if message.about is not None:
        yield (
            change.at,
            "reported",
            f"report about {format_id(message.about)} queued as {format_id(message.id)}",
        )
    elif origin.server is ServerKind.DSN:
        yield change.at, "accepted", f"a report of our own, queued as {format_id(message.id)}"
    else:
        account = f", logged in as {origin.account}" if origin.account else ""
        link = f", {origin.tls}" if origin.tls else ", not encrypted"
        client = f"{origin.helo or '?'} [{origin.client}]" if origin.client else "this machine"
        yield (
            change.at,
            "accepted",
            f"from {sender} at {client} by {origin.server.value} ({origin.protocol}{link}{account}), "
            f"{message.content.size} octets, queued as {format_id(message.id)}"
            + (f", stream {message.stream}" if message.stream != DEFAULT_STREAM else ""),
        )
    if message.release_at > message.accepted_at:
        yield (
            change.at,
            "scheduled",
            f"not before {_clock(message.release_at)}, as it was asked for",
        )
    for ruling in change.rulings:
        yield change.at, "check", _ruling(ruling)
    for delivery in change.deliveries:
        address = delivery.recipient
        alias = f" (for {delivery.original})" if delivery.original != address else ""
        place = "a mailbox here" if delivery.mailbox is not None else delivery.destination
        if delivery.folder:
            place = f"the mailbox {delivery.folder} here"
        yield (
            change.at,
            "split",
            f"{address}{alias}: local part {address.local_part!r}, domain {address.domain!r}, "
            f"goes to {place}",
        )


def _ruling(ruling: Ruling) -> str:
    """``dmarc: accept (0.4 ms): the author's domain is proven``."""
    kind = f"would {ruling.kind.value}, dry run" if ruling.dry_run else ruling.kind.value
    reason = f": {ruling.reason}" if ruling.reason else ""
    return f"{ruling.check}: {kind} ({ruling.seconds * 1000:.1f} ms){reason}"


def _way(taken: RouteTaken) -> str:
    if not taken.address:
        return taken.kind.value
    link = taken.tls or "not encrypted"
    reused = " (connection kept from before)" if taken.reused else ""
    return f"{taken.host} [{taken.address}]:{taken.port}, {link}{reused}"


def meaning(outcome: Outcome, host: str, classify: Classify) -> str:
    """Return what the reply of a failure means, in words; ``""`` where nobody knows."""
    if not isinstance(outcome, TemporaryFailure | PermanentFailure):
        return ""
    found = classify(outcome.reply, host)
    return "" if found.category is Category.UNKNOWN else found.words


def _result(result: Result, recipient: str, meant: str) -> tuple[str, str]:
    text = f"{recipient}: {_reply(result.outcome)}"
    if meant:
        text += f" ({meant})"
    if result.state is DeliveryState.DUE:
        text += f"; next try at {_clock(result.due_at)}"
    if result.delayed:
        text += "; sender told of the delay"
    match result.outcome, result.state:
        case Delivered(), _:
            return "delivered", text
        case TemporaryFailure(), DeliveryState.EXPIRED:
            return "expired", f"{text}; given up"
        case TemporaryFailure(), _:
            return "deferred", text
        case PermanentFailure(), _:
            return "bounced", text
        case _:
            text += "; it may have been delivered"
            if result.state is DeliveryState.HELD:
                text += "; held until an operator releases or drops it"
            return "unknown", text


def _came_back(change: Bounced | Complained, recipient: str) -> tuple[str, str]:
    reporter = change.reporter or "a server"
    source = f"by {format_id(change.report)}"
    if isinstance(change, Complained):
        return "complained", f"{recipient}: {reporter} reports {change.feedback_type}, {source}"
    said = f": {change.reply}" if change.reply is not None else ""
    kind = "permanent" if change.permanent else "temporary"
    meant = f" ({change.category}, {kind})" if change.category != Category.UNKNOWN.value else ""
    what, word = ("bounced", "failure") if change.failed else ("delayed", "delay")
    return what, f"{recipient}: {reporter} reports a {word}, {source}{said}{meant}"


def _reply(outcome: Outcome) -> str:
    return str(outcome.reply)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
