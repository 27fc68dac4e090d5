"""Looking at what came into the mailboxes of an account since somebody last did.

Mail is deposited without a thought for this; whoever asks first has it noticed, in steps that commit one
by one. Requests that come meanwhile wait for the same work. An account that was never looked at gets the
mailboxes that readers of mail expect (RFC 6154 §2).
"""

import asyncio

from postroad.mailbox.glance import READ_OCTETS, look
from postroad.model import (
    SPECIAL,
    Change,
    Glance,
    Group,
    Mailbox,
    MailboxAdded,
    Noticed,
    uid_validity,
)
from postroad.ports import (
    Clock,
    Conflict,
    ContentStore,
    EmailStore,
    Entropy,
    Ledger,
    MailboxStore,
    Unnoticed,
)
from postroad.wire.jmap import MethodError

STEP = 100
_IN_A_THREAD = 4  # more messages than so many are looked at beside the event loop


class Noticing:
    """Notices for all requests of a process."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        mailboxes: MailboxStore,
        emails: EmailStore,
        content: ContentStore,
        clock: Clock,
        entropy: Entropy,
        wait_seconds: float = 10.0,
    ) -> None:
        self._ledger = ledger
        self._mailboxes = mailboxes
        self._emails = emails
        self._content = content
        self._clock = clock
        self._entropy = entropy
        self._wait_seconds = wait_seconds
        self._working: dict[int, asyncio.Task[None]] = {}

    async def catch_up(self, account: int, whole: bool = False) -> None:
        """Notice all that is in the account's mailboxes.

        It goes on where that takes longer than a request may wait: what comes later is a change like any
        other. Raises `MethodError`, ``serverUnavailable``, then where nothing is known yet, or where
        `whole` is asked for. Raises `StorageError`.
        """
        working = self._working.get(account)
        if working is None:
            found, up_to = await self._emails.unnoticed(account, STEP)
            if not found and not up_to:
                return
            working = self._working.get(account)
            if working is None:
                working = asyncio.create_task(self._work(account))
                self._working[account] = working
                working.add_done_callback(lambda _: self._working.pop(account, None))
        done, _ = await asyncio.wait({working}, timeout=self._wait_seconds)
        if done:
            working.result()
        elif whole or not (await self._emails.state(account)).state:
            raise MethodError(
                "serverUnavailable",
                "the mailboxes are being looked at for the first time; come again",
            )

    async def stop(self) -> None:
        """End what goes on; it is taken up where it was left."""
        working = list(self._working.values())
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    async def _work(self, account: int) -> None:
        if (await self._emails.state(account)).state == 0:
            await self._furnish(account)
        while True:
            found, up_to = await self._emails.unnoticed(account, STEP)
            if not found and not up_to:
                return
            glances = await self._look(found)
            noticed = Noticed(self._clock.now(), account, glances, tuple(up_to.items()))
            await self._ledger.commit(Group((noticed,)))

    async def _furnish(self, account: int) -> None:
        now = self._clock.now()
        changes: list[Change] = []
        for name in SPECIAL:
            if await self._mailboxes.named(account, name) is None:
                mailbox = Mailbox(self._entropy.id(), account, name, uid_validity(now))
                changes.append(MailboxAdded(now, mailbox))
        try:
            await self._ledger.commit(Group(tuple(changes)))
        except Conflict:
            return  # somebody made one of them at the same time; others are made by hand then

    async def _look(self, found: list[Unnoticed]) -> tuple[Glance, ...]:
        read = [(each, await self._read(each)) for each in found]
        numbers = [(self._entropy.id(), self._entropy.id()) for _ in read]

        def look_at_all() -> tuple[Glance, ...]:
            return tuple(
                look(data, email=email, thread=thread, mailbox=each.mailbox, uid=each.entry.uid)
                for (each, data), (email, thread) in zip(read, numbers, strict=True)
            )

        if len(read) > _IN_A_THREAD or sum(len(data) for _, data in read) > READ_OCTETS:
            return await asyncio.to_thread(look_at_all)
        return look_at_all()

    async def _read(self, each: Unnoticed) -> bytes:
        entry = each.entry
        return entry.prefix + await self._content.read(entry.content, 0, READ_OCTETS)
