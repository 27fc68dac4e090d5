"""The mail of an account: its mailboxes, what is in them, and moving it from one to another.

Whoever may act for the account (its owner, an operator) is told in the journeys of messages that move.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from postroad.mailbox.folders import Folders
from postroad.message.mime import MimeMessage
from postroad.model import (
    INBOX,
    Account,
    Address,
    Change,
    Group,
    InvalidMailboxName,
    Mailbox,
    MailboxAdded,
    Moved,
    parse_mailbox_name,
)
from postroad.ports import (
    Clock,
    ContentStore,
    Directory,
    Entropy,
    Entry,
    Ledger,
    MailboxStatus,
    MailboxStore,
)
from postroad.service.errors import Refused

MAX_HEADER_OCTETS = 65_536
"""Of a message no more is read to list it."""

MOVE_AT_ONCE = 20
"""Messages that one commit moves, and learns where they teach."""


class MessageSummary(Struct, frozen=True):
    """A message as a list shows it. `date` and the rest are what its header says, `deposited_at`
    (seconds since 1970) is when it came.
    """

    uid: int
    size: int
    deposited_at: float
    subject: str
    author: str
    date: str


class Lessons(Protocol):
    """What is learned from mail that its owner moves."""

    async def of_move(
        self, account: int, entries: Sequence[Entry], from_name: str, into_name: str
    ) -> list[Change]:
        """Return what to commit together with the move. Raises `StorageError`."""
        ...


class Mail:
    """Lists and moves."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        directory: Directory,
        mailboxes: MailboxStore,
        content: ContentStore,
        clock: Clock,
        entropy: Entropy,
        lessons: Lessons | None = None,
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._mailboxes = mailboxes
        self._content = content
        self._clock = clock
        self._folders = Folders(mailboxes, clock, entropy)
        self._lessons = lessons

    async def mailboxes(self, address: Address) -> list[MailboxStatus]:
        """Return the mailboxes of an account, the INBOX first. Raises `Refused`."""
        account = await self._account(address)
        found = await self._mailboxes.of_account(account.id)
        return sorted(found, key=lambda each: (each.mailbox.id != account.inbox, each.mailbox.name))

    async def messages(
        self, address: Address, mailbox: str = INBOX, limit: int = 50
    ) -> list[MessageSummary]:
        """Return the newest messages of a mailbox, the newest first. Raises `Refused`."""
        found = await self._mailbox(await self._account(address), mailbox)
        listing = await self._mailboxes.listing(found.id)
        uids = [] if listing is None else list(listing.uids)[-limit:] if limit > 0 else []
        entries = await self._mailboxes.entries(found.id, uids[::-1])
        return [await self._summary(entry) for entry in entries]

    async def move(
        self, address: Address, uids: Sequence[int], *, source: str, into: str, by: str
    ) -> int:
        """Move messages (uids of `source`) into another mailbox; return how many.

        One of the names of mailboxes that have a purpose need not be there yet, nor need any other that
        can be one: it is made. Raises `Refused` where there is nothing to move, `StorageError`.
        """
        account = await self._account(address)
        left = await self._mailbox(account, source)
        name = _name(into)
        if name == left.name:
            raise Refused(f"the messages are in {name} already")
        moved = 0
        for start in range(0, len(uids), MOVE_AT_ONCE):
            some = uids[start : start + MOVE_AT_ONCE]
            moved += await self._move(account, left, name, some, by)
        if not moved:
            raise Refused(
                f"{left.name} has no message {', '.join(map(str, uids))}; "
                f"see: postroad mail list {address} {left.name}"
            )
        return moved

    async def _move(
        self, account: Account, left: Mailbox, name: str, uids: Sequence[int], by: str
    ) -> int:
        entries = await self._mailboxes.entries(left.id, list(dict.fromkeys(uids)))
        if not entries:
            return 0
        made: list[MailboxAdded] = []
        into = await self._folders.place(account.inbox, name, made)
        changes: list[Change] = [*made]
        there = tuple(entry.uid for entry in entries)
        now = self._clock.now()
        changes.append(Moved(now, left.id, into, there, by, left.name, name))
        if self._lessons is not None:
            changes += await self._lessons.of_move(account.id, entries, left.name, name)
        await self._ledger.commit(Group(tuple(changes)))
        return len(entries)

    async def _summary(self, entry: Entry) -> MessageSummary:
        data = entry.prefix + await self._content.read(entry.content, 0, MAX_HEADER_OCTETS)
        message = MimeMessage(data)
        authors = message.addresses("from")
        return MessageSummary(
            uid=entry.uid,
            size=entry.size,
            deposited_at=entry.deposited_at,
            subject=message.text("subject"),
            author=", ".join(_shown(each.name, each.address) for each in authors[:3]),
            date=message.text("date"),
        )

    async def _account(self, address: Address) -> Account:
        account = await self._directory.account(address)
        if account is None:
            raise Refused(f"there is no account {address}; see: postroad account list")
        return account

    async def _mailbox(self, account: Account, name: str) -> Mailbox:
        found = await self._mailboxes.named(account.id, _name(name))
        if found is None:
            raise Refused(
                f"{account.address} has no mailbox {name}; see: postroad mail list {account.address}"
            )
        return found


def _name(text: str) -> str:
    try:
        return parse_mailbox_name(text)
    except InvalidMailboxName as error:
        raise Refused(str(error)) from None


def _shown(name: str, address: str) -> str:
    return f"{name} <{address}>" if name and address else name or address
