"""Carries transactions over one link.

With PIPELINING the envelope of the next message travels behind the final dot of the one before it, so
a message costs one round trip. A loss after the final dot is `Unknown` (RFC 1047); before it, a
temporary failure. Content that cannot be read ends the connection: nothing else keeps half a message
from being taken for a whole one.
"""

from enum import Enum, auto

from postroad.delivery.link import Link
from postroad.delivery.mx import printable
from postroad.delivery.settings import DeliverySettings
from postroad.delivery.transaction import Transaction
from postroad.message.header import header_end
from postroad.model import Body, Reply, TemporaryFailure, Unknown, outcome_of
from postroad.ports import Clock, ContentStore, StorageError
from postroad.wire.smtp import (
    DataReady,
    EndDone,
    LocalProtocolError,
    Lost,
    MailDone,
    Phase,
    RcptDone,
    TransactionFailed,
)

_HEADER_OCTETS = 256 * 1024
_LACKS = {
    "SMTPUTF8": (550, "5.6.7"),  # RFC 6531 §3.5
    "8BITMIME": (554, "5.6.3"),  # RFC 6152 §3
    "BINARYMIME": (554, "5.6.3"),  # RFC 3030 §3
    "CHUNKING": (554, "5.6.3"),
}


REQUIRETLS_UNMET = "5.7.30"  # RFC 8689 §4.2.1


def requiretls_unmet(link: Link) -> Reply:
    """Why mail with REQUIRETLS must not go over a link: better returned than sent to who may show it to
    others (RFC 8689 §4.2.1).
    """
    lacks = "does not offer it" if link.taken.verified else "has not proved who it is"
    text = f"the sender requires TLS all the way (REQUIRETLS); {link.where} {lacks}"
    return Reply(550, "5.7.30", printable(text))


class Fate(Enum):
    """How one stage of a transaction went."""

    READY = auto()  # go on with the next stage
    SETTLED = auto()  # every recipient has an outcome
    ANEW = auto()  # nothing was said against it: try it on a fresh link
    ELSEWHERE = auto()  # another host of the route may be fit for it


class Courier:
    """Begins and ends transactions on `link`."""

    def __init__(
        self, link: Link, content: ContentStore, clock: Clock, settings: DeliverySettings
    ) -> None:
        self._link = link
        self._content = content
        self._clock = clock
        self._settings = settings

    async def begin(self, transaction: Transaction) -> Fate:
        """Say MAIL and what goes with it, unless the server cannot take such a message."""
        link, log = self._link, transaction.log
        now = self._clock.monotonic()
        if link.messages == 0 and not log.started_at:
            log.begin(link.opened.started_at, link.opened.started)
            log.steps.extend(link.opened.steps)
            log.changes = link.opened.changes
        else:
            log.begin(self._clock.now(), now)
        envelope = log.job.message.envelope
        ascii_headers = True
        if envelope.smtputf8 and "SMTPUTF8" not in link.machine.extensions:
            ascii_headers = await self._ascii_headers(transaction)
        refusal = self._refusal(transaction, ascii_headers)
        if refusal is not None:
            log.taken = link.taken
            if refusal.enhanced == REQUIRETLS_UNMET:
                log.step(now, "mail", f"not sent there: {refusal.text}")
                return Fate.ELSEWHERE
            log.step(now, "mail", f"not sent: {refusal.text}")
            transaction.settle(outcome_of(refusal))
            return Fate.SETTLED
        return Fate.READY if self._say_mail(transaction, now) else Fate.SETTLED

    async def envelope(self, transaction: Transaction) -> Fate:
        """Take the answers to MAIL, RCPT and DATA; read the content meanwhile."""
        link = self._link
        dialogue = link.dialogue
        if transaction.piece is None:
            await dialogue.flush()
            await self._read_first(transaction)
        while True:
            event = dialogue.event_at_hand()
            if event is None:
                await dialogue.proceed()
            elif isinstance(event, MailDone):
                transaction.mail_accepted = event.reply.positive
                transaction.mail_refusal = None if transaction.mail_accepted else event.reply
            elif isinstance(event, RcptDone):
                transaction.rcpt(event.index, event.reply, self._clock)
            elif isinstance(event, DataReady):
                if transaction.problem:
                    self._content_lost(transaction, transaction.problem)
                    return Fate.SETTLED
                return Fate.READY
            elif isinstance(event, TransactionFailed):
                return self._not_taken(transaction, event.reply)
            elif isinstance(event, Lost):
                return self._lost(transaction, event)

    async def body(self, transaction: Transaction, following: Transaction | None) -> None:
        """Send the content, begin `following` behind it if that can be, and take the answer."""
        link = self._link
        machine = link.machine
        piece, transaction.piece = transaction.piece or b"", None
        now = self._clock.monotonic()
        try:
            machine.body(piece, now)
            if len(piece) < transaction.log.job.message.content.size:
                if not await self._send_rest(transaction, len(piece)):
                    return
                now = self._clock.monotonic()
            machine.end(now)
        except LocalProtocolError as error:
            self._unsendable(transaction, str(error))
            return
        if following is not None and self._may_pipeline(following):
            following.log.begin(self._clock.now(), now)
            if self._say_mail(following, now) and following.piece is None:
                await link.dialogue.flush()
                await self._read_first(following)
        await self._answers(transaction)
        if link.broken and following is not None:
            following.clear()

    def _say_mail(self, transaction: Transaction, now: float) -> bool:
        """Say the envelope; False where our own machine refuses to say such a thing."""
        link, log = self._link, transaction.log
        message = log.job.message
        try:
            link.machine.mail(
                message.envelope,
                transaction.recipients,
                message.content.size,
                now,
                plain=message.content.plain,
            )
        except LocalProtocolError as error:
            log.taken = link.taken
            self._unsendable(transaction, str(error))
            return False
        link.messages += 1
        log.taken = link.taken
        link.dialogue.limit = now + self._settings.transaction_total_seconds
        transaction.begun = True
        return True

    def _unsendable(self, transaction: Transaction, reason: str) -> None:
        """No server may be sent this: a bare CR or LF in the content (RFC 5321 §2.3.8)."""
        reply = Reply(554, "5.6.0", printable(f"this message cannot be sent: {reason}"))
        transaction.log.step(self._clock.monotonic(), "data", reply.text)
        transaction.postponed.clear()
        transaction.settle(outcome_of(reply))

    def _may_pipeline(self, following: Transaction) -> bool:
        """Whether it may be begun before the message in front of it is answered."""
        link = self._link
        return (
            link.pipelining
            and not following.begun
            and not link.spent
            and not following.log.job.message.envelope.smtputf8
            and self._refusal(following, ascii_headers=True) is None
        )

    def _refusal(self, transaction: Transaction, ascii_headers: bool) -> Reply | None:
        """Why this server can never take this message, before a word of it is said."""
        link, message = self._link, transaction.log.job.message
        limit = link.max_size
        if limit and message.content.size > limit:
            text = f"message of {message.content.size} octets; {link.where} takes at most {limit}"
            return Reply(552, "5.3.4", text)
        envelope = message.envelope
        if envelope.requiretls and not link.requiretls:
            return requiretls_unmet(link)
        keyword = link.machine.missing_extension(envelope, transaction.recipients, ascii_headers)
        if keyword is None:
            return None
        if (
            keyword == "8BITMIME"
            and envelope.body is not Body.BINARY_MIME
            and not self._settings.strict_8bitmime
        ):
            return None
        code, enhanced = _LACKS.get(keyword, (554, "5.6.1"))
        return Reply(code, enhanced, f"{link.where} does not offer {keyword}")

    async def _ascii_headers(self, transaction: Transaction) -> bool:
        """RFC 6531 §3.4: mail that turns out to be plain needs no SMTPUTF8."""
        ref = transaction.log.job.message.content
        try:
            piece = await self._content.read(ref, 0, _HEADER_OCTETS)
        except StorageError:
            return True  # sending it will meet the same error and say so
        end = header_end(piece)
        return piece[: end if end >= 0 else len(piece)].isascii()

    async def _read_first(self, transaction: Transaction) -> None:
        """Read the content, or its first piece."""
        ref = transaction.log.job.message.content
        most = self._settings.piece_octets
        try:
            piece = await self._content.read(ref, 0, None if ref.size <= most else most)
        except StorageError as error:
            transaction.problem = str(error) or "storage failed"
            return
        if len(piece) < min(ref.size, most):
            transaction.problem = f"only {len(piece)} of {ref.size} octets are there"
        transaction.piece = piece

    async def _send_rest(self, transaction: Transaction, offset: int) -> bool:
        """Hand the content from `offset` on to the machine; all but its last piece is sent at once."""
        machine, dialogue = self._link.machine, self._link.dialogue
        ref = transaction.log.job.message.content
        while offset < ref.size:
            await dialogue.flush()
            await dialogue.poll()
            if machine.closing:
                # Refused or lost in its midst: the answer says which.
                await self._answers(transaction)
                return False
            try:
                piece = await self._content.read(ref, offset, self._settings.piece_octets)
            except StorageError as error:
                self._content_lost(transaction, str(error))
                return False
            if not piece:
                self._content_lost(transaction, f"it ends after {offset} of {ref.size} octets")
                return False
            offset += len(piece)
            machine.body(piece, self._clock.monotonic())
        return True

    async def _answers(self, transaction: Transaction) -> None:
        """Take the answer to the message, or with LMTP one for each accepted recipient."""
        link, log = self._link, transaction.log
        expected = len(transaction.accepted) if link.lmtp else 1
        while expected:
            event = link.dialogue.event_at_hand()
            if event is None:
                await link.dialogue.proceed()
            elif isinstance(event, EndDone):
                expected -= 1
                log.step(self._clock.monotonic(), "end", str(event.reply))
                if event.index is None:
                    transaction.settle(outcome_of(event.reply))
                    expected = 0
                else:
                    transaction.settle_one(event.index, outcome_of(event.reply))
            elif isinstance(event, Lost):
                self._lost(transaction, event)
                return

    def _not_taken(self, transaction: Transaction, reply: Reply) -> Fate:
        link, log = self._link, transaction.log
        now = self._clock.monotonic()
        if reply.code == 421 or link.machine.closing:
            link.drop()
            if self._may_try_anew(transaction):
                log.step(now, "mail", f"the server ended the kept connection: {reply}")
                return Fate.ANEW
        if not transaction.mail_accepted or transaction.accepted:
            log.step(now, "data" if transaction.accepted else "mail", str(reply))
        transaction.postponed.clear()
        transaction.settle(outcome_of(reply))
        return Fate.SETTLED

    def _lost(self, transaction: Transaction, event: Lost) -> Fate:
        link, log = self._link, transaction.log
        now = self._clock.monotonic()
        link.drop()
        reason = printable(event.reason)
        if event.phase is Phase.END:
            text = f"connection to {link.where} lost after the message was sent, before the answer"
            log.step(now, "end", f"{text}: {reason}")
            reply = Reply(451, "4.4.2", f"{text}; it may have been delivered: {reason}")
            transaction.settle(Unknown(reply))
            return Fate.SETTLED
        if self._may_try_anew(transaction):
            log.step(now, "mail", f"the server closed the kept connection: {reason}")
            return Fate.ANEW
        reply = transaction.mail_refusal or Reply(
            451, "4.4.2", f"connection to {link.where} lost: {reason}"
        )
        log.step(now, "data" if transaction.accepted else "mail", reply.text)
        transaction.postponed.clear()
        transaction.settle(outcome_of(reply))
        return Fate.SETTLED

    def _may_try_anew(self, transaction: Transaction) -> bool:
        """A kept connection may have died of old age: that says nothing about this message."""
        if self._link.messages <= 1 or transaction.retried or transaction.mail_accepted:
            return False
        transaction.retried = True
        return True

    def _content_lost(self, transaction: Transaction, reason: str) -> None:
        self._link.drop()
        reply = Reply(451, "4.3.0", printable(f"the message's content cannot be read: {reason}"))
        transaction.log.step(self._clock.monotonic(), "data", reply.text)
        transaction.postponed.clear()
        transaction.log.ours = True
        transaction.settle(TemporaryFailure(reply))
