"""Reports to senders: from the notices of an attempt to messages that can be committed with it.

A report has the null sender, so nothing is ever reported about a report (RFC 3461 §6, RFC 5321 §6.1).
"""

from collections.abc import Awaitable, Callable, Sequence

import structlog
from msgspec import Struct

from postroad.message.dsn import Action, RecipientReport, Report, build_dsn
from postroad.message.header import header_end
from postroad.message.trace import received
from postroad.model import (
    Address,
    ContentRef,
    Delivery,
    Envelope,
    LeasedDelivery,
    Message,
    Origin,
    Recipient,
    Ret,
    RouteKind,
    ServerKind,
    Staged,
    Step,
    format_id,
)
from postroad.ports import Attempt, Clock, ContentStore, Entropy, StorageError
from postroad.queue.outcome import Notice
from postroad.queue.settings import QueueSettings

log = structlog.get_logger("postroad.queue")

Resolve = Callable[[Address], Awaitable[tuple[str, int | None] | None]]
"""Where an address leads: (destination, mailbox), None where nobody has it."""

Sign = Callable[[bytes], Awaitable[bytes]]
"""Returns the fields to put on top of a report, ``b""`` where nobody signs."""

_GROUPS = ((Action.FAILED,), (Action.DELAYED,), (Action.DELIVERED, Action.RELAYED))
_ORIGIN = Origin(ServerKind.DSN)
_READ_OCTETS = 256 * 1024


class Bounce(Struct, frozen=True):
    """A report, ready to be accepted."""

    message: Message
    delivery: Delivery
    staged: Staged


class Bouncer:
    """Makes reports."""

    def __init__(
        self,
        *,
        content: ContentStore,
        clock: Clock,
        entropy: Entropy,
        resolve: Resolve,
        settings: QueueSettings,
        sign: Sign | None = None,
    ) -> None:
        self._sign = sign
        self._content = content
        self._clock = clock
        self._entropy = entropy
        self._resolve = resolve
        self._settings = settings

    async def reports(
        self, leased: LeasedDelivery, attempt: Attempt, notices: Sequence[Notice]
    ) -> tuple[list[Bounce], list[Step]]:
        """Return one report for each group of notices (failed, delayed, succeeded), and what to note
        in the journey of the message that they are about.

        Raises `StorageError`.
        """
        bounces: list[Bounce] = []
        steps: list[Step] = []
        sender = leased.message.envelope.sender
        if not notices:
            return bounces, steps
        seconds = max(0.0, attempt.ended_at - attempt.started_at)
        if sender is None:
            if any(notice.action is Action.FAILED for notice in notices):
                text = "nobody is told: the message has no sender, as reports have none"
                steps.append(Step(seconds, "report", text))
            return bounces, steps
        place = await self._resolve(sender)
        if place is None:
            text = f"no report could be sent: the sender <{sender}> is unknown here"
            log.warning("report dropped", id=format_id(leased.message.id), reason=text)
            return bounces, [Step(seconds, "report", text)]
        for actions in _GROUPS:
            group = [notice for notice in notices if notice.action in actions]
            if group:
                bounce = await self._make(leased.message, sender, place, attempt, group)
                bounces.append(bounce)
                text = (
                    f"{group[0].action.value}: <{sender}> is told by {format_id(bounce.message.id)}"
                )
                steps.append(Step(seconds, "report", text))
        return bounces, steps

    async def _make(
        self,
        about: Message,
        sender: Address,
        place: tuple[str, int | None],
        attempt: Attempt,
        notices: Sequence[Notice],
    ) -> Bounce:
        number, now, hostname = self._entropy.id(), self._clock.now(), self._settings.hostname
        returned, full = await self._returned(about, notices)
        envelope = about.envelope
        notification = build_dsn(
            Report(
                id=number,
                at=now,
                hostname=hostname,
                to=sender,
                about=about.id,
                arrived_at=about.accepted_at,
                recipients=tuple(_recipient(notice, attempt) for notice in notices),
                message_id=about.message_id,
                envid=envelope.envid,
                returned=returned,
                full=full,
                smtputf8=envelope.smtputf8,
            )
        )
        above = received(origin=_ORIGIN, hostname=hostname, message=number, at=now, recipient=None)
        writer = self._content.stage(number)
        try:
            if self._sign is not None:
                writer.write(await self._sign(notification.data))
            writer.write(above)
            writer.write(notification.data)
            staged = await writer.finish()
        except BaseException:
            writer.discard()
            raise
        message = Message(
            id=number,
            envelope=Envelope(
                None,
                (Recipient(sender),),
                notification.body,
                smtputf8=notification.smtputf8,
                requiretls=about.envelope.requiretls,  # RFC 8689 §5
            ),
            content=staged.ref,
            origin=_ORIGIN,
            accepted_at=now,
            message_id=notification.message_id,
            about=about.id,
        )
        destination, mailbox = place
        delivery = Delivery(number, 0, sender, sender, destination, mailbox, due_at=now)
        return Bounce(message, delivery, staged)

    async def _returned(self, about: Message, notices: Sequence[Notice]) -> tuple[bytes, bool]:
        """Return what goes back: the header, or all on RET=FULL of a failure (RFC 3461 §4.3), though
        never of what was to go by TLS only (RFC 8689 §5).
        """
        settings, ref = self._settings, about.content
        full = (
            about.envelope.ret is Ret.FULL
            and notices[0].action is Action.FAILED
            and not about.envelope.requiretls
            and ref.size <= settings.dsn_return_max_octets
        )
        try:
            if full:
                return await self._read(ref, ref.size), True
            data = await self._read(ref, settings.dsn_header_max_octets)
        except StorageError as error:
            # The sender must learn of the failure even where the message itself cannot be read.
            log.error(
                "message to report on is unreadable", id=format_id(about.id), error=str(error)
            )
            return b"", False
        end = header_end(data)
        return (data[:end] if end >= 0 else data), False

    async def _read(self, ref: ContentRef, limit: int) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while size < limit:
            piece = await self._content.read(ref, size, min(limit - size, _READ_OCTETS))
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)


def _recipient(notice: Notice, attempt: Attempt) -> RecipientReport:
    delivery, taken = notice.delivery, attempt.taken
    remote = ""
    if taken is not None and taken.kind is not RouteKind.LOCAL:
        remote = taken.host or (f"[{taken.address}]" if taken.address else "")
    return RecipientReport(
        recipient=delivery.recipient,
        original=delivery.original,
        action=notice.action,
        reply=notice.reply,
        orcpt=delivery.orcpt,
        status=notice.status,
        remote_mta=remote,
        last_attempt_at=attempt.ended_at,
        will_retry_until=notice.will_retry_until,
    )
