"""A line in the log for what happens to each message: accepted, delivered, deferred, bounced …

Off unless `log.mail` is set. Every line has the message's id, under which `postroad journey` has all the
rest.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import structlog

from postroad.model import (
    Accepted,
    Attempted,
    Bounced,
    Complained,
    Delivered,
    DeliveryState,
    Dropped,
    Held,
    Message,
    PermanentFailure,
    PutOff,
    Retried,
    TemporaryFailure,
    format_id,
)
from postroad.ports import JourneyEvent, QueueStore
from postroad.service.journeys import Classify

log = structlog.get_logger("postroad.mail")

_KNOWN = 10_000
_WORDS = {Held: "held", Retried: "retried", Dropped: "dropped", PutOff: "put off"}


class MailLog:
    """`follow.Teller`."""

    def __init__(self, store: QueueStore, classify: Classify) -> None:
        self._store = store
        self._classify = classify
        self._known: OrderedDict[int, tuple[Message, dict[int, str]]] = OrderedDict()

    async def tell(self, events: Sequence[JourneyEvent]) -> None:
        """Write a line for each thing that happened. Raises `StorageError`."""
        for event in events:
            match event.change:
                case Accepted() as change:
                    self._accepted(change)
                case Attempted() as change:
                    await self._attempted(change)
                case Held() | Retried() | Dropped() | PutOff() as change:
                    await self._put_aside(change)
                case Bounced() | Complained() as change:
                    await self._came_back(change)
                case _:
                    pass

    def _accepted(self, change: Accepted) -> None:
        message = change.message
        names = {each.ordinal: str(each.recipient) for each in change.deliveries}
        self._remember(message, names)
        log.info(
            "accepted",
            **_about(message),
            to=list(names.values())[:20],
            recipients=len(names),
            octets=message.content.size,
            server=message.origin.server.value,
            client=message.origin.client,
            account=message.origin.account or "",
        )

    async def _attempted(self, change: Attempted) -> None:
        found = await self._of(change.message)
        if found is None:
            return
        message, names = found
        taken = change.taken
        link: dict[str, Any] = {}
        if taken is not None and taken.address:
            link = {
                "host": taken.host,
                "address": taken.address,
                "source": taken.source,
                "tls": taken.tls or "",
            }
        for each in change.results:
            reply = each.outcome.reply
            fields = {
                **_about(message),
                "to": names.get(each.ordinal, "?"),
                "reply": str(reply),
                "seconds": round(change.at - change.started_at, 3),
                "age": round(change.at - message.accepted_at, 3),
                **link,
            }
            match each.outcome, each.state:
                case Delivered(), _:
                    log.info("delivered", **fields)
                    continue
                case _, DeliveryState.EXPIRED:
                    what = "expired"
                case TemporaryFailure(), _:
                    what = "deferred"
                case PermanentFailure(), _:
                    what = "bounced"
                case _:
                    what = "unknown"
            meant = self._classify(reply, taken.host if taken is not None else "")
            if each.state is DeliveryState.DUE:
                fields["next_try"] = each.due_at
            log.info(what, category=meant.category.value, provider=meant.provider, **fields)

    async def _put_aside(self, change: Held | Retried | Dropped | PutOff) -> None:
        found = await self._of(change.keys[0][0])
        if found is None:
            return
        message, names = found
        because: dict[str, Any] = {}
        if isinstance(change, PutOff):
            because = {"reason": change.reply.text, "until": change.due_at}
        else:
            because = {"by": change.by}
        to = [names.get(ordinal, "?") for _, ordinal in change.keys[:20]]
        log.info(_WORDS[type(change)], **_about(message), to=to, **because)

    async def _came_back(self, change: Bounced | Complained) -> None:
        found = await self._of(change.message)
        if found is None:
            return
        message, names = found
        fields = {
            **_about(message),
            "to": names.get(change.ordinal, "?"),
            "report": format_id(change.report),
            "reporter": change.reporter,
        }
        if isinstance(change, Complained):
            log.info("complained", kind=change.feedback_type, **fields)
        else:
            said = "" if change.reply is None else str(change.reply)
            what = "bounced later" if change.failed else "delayed"
            log.info(what, reply=said, category=change.category, **fields)

    async def _of(self, number: int) -> tuple[Message, dict[int, str]] | None:
        known = self._known.get(number)
        if known is not None:
            return known
        message = await self._store.message(number)
        if message is None:
            return None
        deliveries = await self._store.deliveries(number)
        return self._remember(message, {each.ordinal: str(each.recipient) for each in deliveries})

    def _remember(self, message: Message, names: dict[int, str]) -> tuple[Message, dict[int, str]]:
        known = self._known
        if len(known) >= _KNOWN:
            known.popitem(last=False)
        found = known[message.id] = (message, names)
        return found


def _about(message: Message) -> dict[str, Any]:
    return {
        "id": format_id(message.id),
        "message_id": message.message_id,
        "sender": str(message.envelope.sender or ""),
        "stream": message.stream,
    }
