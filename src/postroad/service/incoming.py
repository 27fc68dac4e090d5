"""One message on its way in: trace fields, checks, content and deliveries, and one commit.

It is ours when `Incoming.finish` returned a 2xx reply, and not before; whatever goes wrong until then
leaves nothing behind.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import structlog
from msgspec.structs import replace

from postroad.message.header import header_end
from postroad.message.trace import received
from postroad.model import (
    DEFAULT_STREAM,
    Change,
    ContentRef,
    Envelope,
    KeptAnswer,
    Message,
    Origin,
    Reply,
    Ruling,
    RulingKind,
    ServerKind,
    Staged,
    format_id,
)
from postroad.policy import (
    NO_READINGS,
    NOTHING,
    Decision,
    MessageBegun,
    MessageReceived,
    RcptTo,
)
from postroad.ports import (
    MAX_ABOVE_OCTETS,
    Conflict,
    ContentWriter,
    SigningFailed,
    StorageError,
    StorageFull,
)
from postroad.queue import Posted
from postroad.service.completion import message_id_of, missing_fields
from postroad.service.deliveries import deliveries_of
from postroad.service.mailing import Mailing, one_each
from postroad.service.once import (
    KeyedMessage,
    Once,
    kept_of,
    keyed_message,
    only_once,
    queued,
)
from postroad.service.passing_on import domains_passing_on, findings_of
from postroad.service.press import Press
from postroad.service.recipients import Accepted
from postroad.service.signing import SigningMessage
from postroad.service.soundness import refusal_of_header
from postroad.service.suspected import put_aside
from postroad.service.wishes import NO_WISHES, Wishes
from postroad.trust.results import without_forged

if TYPE_CHECKING:
    from postroad.service.intake import Intake

log = structlog.get_logger("postroad.intake")

_NOT_SIGNED = Reply(451, "4.3.0", "The message cannot be signed now, try again later")


class Incoming:
    """One message on its way in. Write its bytes, then `finish` or `discard`.

    After `finish`, `messages` are what was taken (several where each recipient has a copy), and `kept`
    is there where the idempotency key was used before, for the same (the reply is that of then) or not.
    """

    __slots__ = (
        "_accepted",
        "_added",
        "_at",
        "_earlier",
        "_envelope",
        "_handed_over",
        "_head",
        "_header",
        "_intake",
        "_keeper",
        "_keyed",
        "_mailing",
        "_origin",
        "_policy",
        "_readings",
        "_refusal",
        "_signing",
        "_size",
        "_stream",
        "_wishes",
        "_writer",
        "id",
        "kept",
        "messages",
    )

    def __init__(
        self,
        intake: "Intake",
        envelope: Envelope,
        accepted: Sequence[Accepted],
        origin: Origin,
        earlier: Decision = NOTHING,
        wishes: Wishes = NO_WISHES,
    ) -> None:
        self.id = intake.entropy.id()
        self.kept: KeptAnswer | None = None
        self.messages: tuple[Message, ...] = ()
        self._wishes = wishes
        self._keyed: KeyedMessage | None = None
        self._intake = intake
        self._policy = intake.policy.of(
            origin.server
        )  # the same to the end, whatever a reload does
        self._readings = NO_READINGS
        self._signing: SigningMessage | None = None
        self._earlier = earlier
        self._added = b""
        self._envelope = envelope
        self._accepted = accepted
        self._origin = origin
        self._at = intake.clock.now()
        if envelope.hold_for is not None or envelope.hold_until is not None:
            self._wishes = replace(wishes, release_at=envelope.released_at(self._at))
        self._writer = intake.content.stage(self.id)
        self._keeper: ContentWriter | Mailing = self._writer
        self._mailing: Mailing | None = None
        self._stream = DEFAULT_STREAM
        self._head: bytearray | None = bytearray()  # until the header is complete
        self._header = b""
        self._size = 0
        self._refusal: Reply | None = None
        self._handed_over = False  # to the queue, which may have it for all we know

    def write(self, chunk: bytes) -> None:
        """Take bytes of the message. Trouble shows in `finish`."""
        if self._refusal is not None:
            return
        self._size += len(chunk)
        if self._head is None:
            if self._readings:
                self._readings.write(chunk)
            if self._signing is not None:
                self._signing.write(chunk)
            if self._keyed is not None:
                self._keyed.write(chunk)
            self._keep(chunk)
            return
        head = self._head
        if not head:
            end = header_end(chunk)
            if end >= 0:
                # The common case: the whole header in the first chunk, copied once.
                self._begin_content(chunk[:end])
                self._keep_first(chunk, end)
                return
        head += chunk
        end = header_end(head)
        if end >= 0:
            self._begin_content(bytes(head[:end]))
            self._keep_first(bytes(head), end)
        elif len(head) > self._intake.settings.max_header_octets:
            limit = self._intake.settings.max_header_octets
            self._refuse(Reply(552, "5.3.4", f"Message header is longer than {limit} octets"))

    async def finish(self, *, plain: bool = False) -> Reply:
        """Check, store and queue the message; return the reply for the client.

        `plain` vouches for what was written, `ContentRef.plain`; what we put above it is so anyway.
        2xx: it is on stable storage. 4xx and 5xx: nothing of it is left here.
        """
        if self._head is not None and self._refusal is None:
            head = bytes(self._head)
            self._begin_content(head)
            self._keep_first(head, len(head))
        if self._refusal is not None:
            return self._refusal
        try:
            return await self._accept(plain)
        except SigningFailed as error:
            log.error("message not signed; deferred", id=format_id(self.id), error=str(error))
            return self._refuse(_NOT_SIGNED)
        except StorageFull:
            self._handed_over = False  # nothing of it was written
            log.error("storage is full; message deferred", id=format_id(self.id))
            return self._refuse(Reply(452, "4.3.1", "Storage is full here, try again later"))
        except StorageError as error:
            self._handed_over = self._handed_over and not isinstance(error, Conflict)
            log.error("storage failed; message deferred", id=format_id(self.id), error=str(error))
            return self._refuse(Reply(451, "4.3.0", "Storage failed here, try again later"))
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Forget the message.

        A commit that we do not wait for any longer may yet happen, and one that failed to sync may be
        found whole after a crash. The message must then have its bytes: they are left to the sweep.
        """
        self._head = None
        if not self._handed_over:
            self._keeper.discard()

    def _refuse(self, reply: Reply) -> Reply:
        self._refusal = reply
        self.discard()
        return reply

    def _keep(self, chunk: bytes) -> None:
        if self._refusal is not None:
            return
        try:
            self._keeper.write(chunk)
        except StorageFull:
            self._refuse(Reply(452, "4.3.1", "Storage is full here, try again later"))
        except StorageError as error:
            log.error("storage failed; message deferred", id=format_id(self.id), error=str(error))
            self._refuse(Reply(451, "4.3.0", "Storage failed here, try again later"))

    def _keep_first(self, data: bytes, end: int) -> None:
        """Keep what begins with the header, which ends at `end`."""
        if self._readings:
            self._readings.write(data[end:])
        if self._signing is not None:
            self._signing.write(data[end:])
        if self._keyed is not None:
            self._keyed.write(data[end:])
        head, count = without_forged(self._header, self._intake.settings.authserv_ids)
        if count:
            reason = (
                f"{count} with our name, or one that cannot be read, were there and are removed"
            )
            ruling = Ruling("authentication-results", RulingKind.ACCEPT, reason, self._at, 0.0)
            self._earlier = self._earlier.plus(Decision(rulings=(ruling,)))
        if len(head) != end:
            self._keep(head)
            data = data[end:]
        self._keep(data)

    def _begin_content(self, header: bytes) -> None:
        """The header is known: write what we put above it."""
        self._head = None
        self._header = header
        if (refusal := refusal_of_header(header)) is not None:
            self._refuse(refusal)
            return
        settings = self._intake.settings
        streams = settings.streams
        if self._wishes.stream is not None:
            self._stream = self._wishes.stream
        elif streams:
            self._stream = streams.of(self._envelope.sender, self._origin)
        only = self._accepted[0].recipient.address if len(self._accepted) == 1 else None
        above = received(
            origin=self._origin,
            hostname=settings.hostname,
            message=self.id,
            at=self._at,
            recipient=only,
        )
        if settings.add_missing_headers and self._origin.server in _SUBMITTING:
            self._added = missing_fields(
                header, message=self.id, at=self._at, hostname=settings.hostname
            )
            above += self._added
        if settings.idempotency_seconds and self._origin.account is not None:
            keyed = keyed_message(
                header,
                self._origin,
                self._envelope,
                self._accepted,
                settings.idempotency_seconds,
                by_message_id=settings.once_by_message_id,
                senders_checked=settings.senders_checked,
            )
            if isinstance(keyed, Reply):
                self._refuse(keyed)
                return
            if keyed is not None:
                self._header = header = keyed.header
                self._earlier = self._earlier.plus(Decision(rulings=(keyed.ruling(self._at),)))
                self._keyed = keyed if self._wishes.once is None else None
        if self._policy.reads:
            self._readings = self._policy.readings(
                MessageBegun(self._origin, self._envelope, header, self._added)
            )
        mailings = self._intake.mailings
        if mailings is not None and (mailing := mailings.begin(self._stream)) is not None:
            self._writer.discard()
            self._keeper = self._mailing = mailing  # what we put above is another in each copy
            return
        signing = self._intake.signing
        if signing is not None:
            domain = settings.signing_domains.get(self._stream, "")
            self._signing = signing.begin(self._origin, self._envelope, header, self._added, domain)
        self._keep(above)

    async def _accept(self, plain: bool) -> Reply:
        once = self._wishes.once if self._keyed is None else self._keyed.once()
        labels = self._intake.labels
        if once is None or labels is None:
            return await self._take(plain, None)
        now, take = self._intake.clock.now, partial(self._take, plain)
        reply, self.kept = await only_once(once, labels, now, take)
        if self.kept is not None:
            self._handed_over = False
            self._refuse(reply)
        return reply

    async def _take(self, plain: bool, once: Once | None) -> Reply:
        intake = self._intake
        decision = self._earlier
        if self._policy.has(MessageReceived):
            decision = decision.plus(await self._policy.ask(self._received(decision.facts)))
            if (refused := decision.refused) is not None:
                log.info(
                    "message refused",
                    id=format_id(self.id),
                    client=self._origin.client,
                    sender=str(self._envelope.sender or "<>"),
                    check=decision.rulings[-1].check,
                    reason=decision.rulings[-1].reason,
                )
                return self._refuse(refused.reply)
        if decision.quarantined or (
            self._policy.has(RcptTo) and any(each.quarantined for each in self._accepted)
        ):
            pass_on = intake.settings.pass_on_quarantined
            aside = put_aside(self._accepted, decision.quarantined, self._origin, pass_on=pass_on)
            if isinstance(aside, Reply):
                log.info("suspected message not passed on", id=format_id(self.id))
                return self._refuse(aside)
            self._accepted = aside.accepted
            decision = decision.plus(aside.told(self._at))
        findings = None
        told = intake.settings
        if passing_on := domains_passing_on(self._origin, self._accepted, told.passing_on_as):
            sender, name = self._envelope.sender, told.hostname
            kept = await findings_of(decision.facts, sender, passing_on, intake.recipients, name)
            if isinstance(kept, Reply):
                log.info("forged message not passed on", id=format_id(self.id))
                return self._refuse(kept)
            findings = kept
        above = b"".join(field.to_bytes() for field in decision.headers)
        if self._mailing is not None:
            return await self._accept_copies(self._mailing, above, decision, once)
        if self._signing is not None:
            fields, ruling = await self._sign(self._signing)
            above += fields
            decision = decision.plus(Decision(rulings=(ruling,)))
        if len(above) > MAX_ABOVE_OCTETS:
            log.error("checks add too many headers; deferred", id=format_id(self.id))
            return self._refuse(Reply(451, "4.3.0", "A check failed here, try again later"))
        staged: Staged = await self._writer.finish(above)
        message = self._message(
            self.id, ContentRef(self.id, staged.ref.size, plain), self._accepted
        )
        if findings is not None:
            message = replace(message, findings=findings)
        self._handed_over = True
        due_at = self._wishes.release_at or self._at
        deliveries = deliveries_of(self.id, self._accepted, due_at, junk=decision.quarantined)
        first = self._kept_with((message,), once)
        await intake.queue.accept(message, deliveries, staged, decision.rulings, first)
        self.messages = (message,)
        return queued((format_id(self.id),))

    def _kept_with(self, messages: Sequence[Message], once: Once | None) -> tuple[Change, ...]:
        also = self._wishes.also
        return also if once is None else (*also, *kept_of(once, messages, self._at))

    async def _accept_copies(
        self, mailing: Mailing, above: bytes, decision: Decision, once: Once | None
    ) -> Reply:
        """Queue a copy for each recipient, all of them or none; `above` goes on top of each."""
        intake, settings = self._intake, self._intake.settings
        accepted = one_each(self._accepted)
        if (refusal := mailing.refusal(len(accepted))) is not None:
            return self._refuse(refusal)
        press = Press(
            mailing,
            content=intake.content,
            signing=intake.signing,
            clock=intake.clock,
            origin=self._origin,
            envelope=self._envelope,
            hostname=settings.hostname,
            domain=settings.signing_domains.get(self._stream, ""),
            added=self._added,
            above=above,
            at=self._at,
        )
        posted = []
        due_at = self._wishes.release_at or self._at
        for number, each in enumerate(accepted):
            copy = intake.entropy.id() if number else self.id
            staged, rulings = await press.stage(copy, each, (number + 1, len(accepted), self.id))
            deliveries = deliveries_of(copy, (each,), due_at, junk=decision.quarantined)
            message = self._message(copy, staged.ref, (each,))
            told = (*decision.rulings, *rulings)
            posted.append(Posted(message, tuple(deliveries), staged, told))
        self._handed_over = True
        messages = tuple([each.message for each in posted])
        first = self._kept_with(messages, once)
        if len(posted) == 1:
            only = posted[0]
            await intake.queue.accept(
                only.message, only.deliveries, only.staged, only.rulings, first
            )
        else:
            await intake.queue.accept_together(posted, first)
        self.messages = messages
        return queued([format_id(each.id) for each in messages])

    def _message(self, number: int, content: ContentRef, accepted: Sequence[Accepted]) -> Message:
        wishes = self._wishes
        return Message(
            id=number,
            envelope=_with_recipients(self._envelope, accepted),
            content=content,
            origin=self._origin,
            accepted_at=self._at,
            message_id=message_id_of(self._header) or message_id_of(self._added),
            stream=self._stream,
            label=wishes.label,
            release_at=wishes.release_at,
            expires_at=wishes.expires_at,
        )

    async def _sign(self, signing: SigningMessage) -> tuple[bytes, Ruling]:
        """Return the signatures, and what the journey says of them. Raises `SigningFailed`."""
        clock = self._intake.clock
        began = clock.monotonic()
        fields, words = await signing.finish()
        seconds = int((clock.monotonic() - began) * 1e6) / 1e6  # `round` takes five times as long
        return fields, Ruling("sign", RulingKind.ACCEPT, words, clock.now(), seconds)

    def _received(self, facts: tuple[object, ...]) -> MessageReceived:
        return MessageReceived(
            self.id,
            self._origin,
            self._envelope,
            self._header,
            self._size,
            self._added,
            self._readings,
            facts=facts,
        )


_SUBMITTING = (ServerKind.SUBMISSION, ServerKind.LOCAL, ServerKind.API)


def _with_recipients(envelope: Envelope, accepted: Sequence[Accepted]) -> Envelope:
    if len(envelope.recipients) == len(accepted):
        return envelope
    return replace(envelope, recipients=tuple(each.recipient for each in accepted))
