"""Answers mail for accounts whose owners are away (RFC 8621 §8), each sender once in a while.

That a sender is answered is committed with the answer, so it happens once whatever crashes, and
whichever process gets the mail. Mail that cannot be answered just now waits, as it does for a mailbox.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog
from msgspec import Struct

from postroad.message.auto_reply import build_answer, why_not
from postroad.message.compose import LetterInvalid
from postroad.message.header import Header, header_end
from postroad.model import (
    Account,
    Address,
    Delivery,
    Envelope,
    Message,
    Notify,
    Origin,
    Recipient,
    Reply,
    ServerKind,
    Vacation,
    VacationAnswered,
    format_id,
)
from postroad.ports import Clock, ContentStore, OwnerStore, StorageError
from postroad.service.wishes import Wishes

log = structlog.get_logger("postroad.vacation")

Submit: TypeAlias = Callable[[Envelope, bytes, Origin, Wishes], Awaitable[Reply]]

MAX_HEADER_OCTETS = 65_536
"""Of a message's header no more is looked at."""


class VacationSettings(Struct, frozen=True):
    """A sender is answered once in `period_seconds`, and `max_answers` senders of an account are."""

    period_seconds: float = 7 * 86_400.0
    max_answers: int = 1_000


class Vacations:
    """What the deposit of mail asks: `away` now and then, `answer` of each message for those who are."""

    def __init__(
        self,
        *,
        owners: OwnerStore,
        content: ContentStore,
        clock: Clock,
        submit: Submit,
        settings: VacationSettings | None = None,
    ) -> None:
        self._owners = owners
        self._content = content
        self._clock = clock
        self._submit = submit
        self._settings = settings or VacationSettings()

    async def away(self, account: int) -> bool:
        """Whether an account answers, now or at another time. Raises `StorageError`."""
        return (await self._owners.vacation(account)).enabled

    async def answer(self, account: Account, message: Message, delivery: Delivery) -> str:
        """Answer a message for an account, or do not; return what became of that, ``""`` where nobody is
        away now. Raises `StorageError` where it has to be asked again.
        """
        now = self._clock.now()
        vacation = await self._owners.vacation(account.id)
        if not vacation.answers(now):
            return ""
        data = await self._content.read(message.content, 0, MAX_HEADER_OCTETS)
        end = header_end(data)
        header = Header.parse(data if end < 0 else data[:end])
        sender = message.envelope.sender
        own = (account.address, delivery.recipient, delivery.original)
        why = why_not(header, sender, own) or await self._had_enough(account, sender, now)
        if why or sender is None:
            return f"not answered: {why}"
        return await self._send(account, vacation, header, sender)

    async def _had_enough(self, account: Account, sender: Address | None, now: float) -> str:
        assert sender is not None, "who has none is not answered anyway"
        settings = self._settings
        since = now - settings.period_seconds
        before = await self._owners.answered(account.id, sender.folded)
        if before is not None and before >= since:
            return "its sender was answered already"
        if await self._owners.answers(account.id, since) >= settings.max_answers:
            return f"{settings.max_answers} senders were answered already"
        return ""

    async def _send(
        self, account: Account, vacation: Vacation, header: Header, sender: Address
    ) -> str:
        now = self._clock.now()
        try:
            data = build_answer(vacation, header, account.address, sender)
        except LetterInvalid as error:
            log.warning("vacation not answered", account=format_id(account.id), error=str(error))
            return f"not answered: {error}"
        since = now - self._settings.period_seconds
        answered = VacationAnswered(now, account.id, sender.folded, since)
        # From nobody, and nobody is told where it cannot be delivered (RFC 3834 §3.3).
        envelope = Envelope(None, (Recipient(sender, Notify.NEVER),), smtputf8=not sender.is_ascii)
        reply = await self._submit(
            envelope, data, Origin(ServerKind.LOCAL), Wishes(also=(answered,))
        )
        if reply.code == 250:
            return f"answered to {sender}"
        if reply.permanent:
            return f"not answered: {reply}"
        if await self._owners.answered(account.id, sender.folded) == now:
            return f"answered to {sender}"  # the commit was done although its end was not seen
        raise StorageError(f"no vacation response could be sent: {reply}")
