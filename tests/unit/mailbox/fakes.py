"""Mailboxes in memory: store, contents, locks and ledger in one, with failures to order."""

from array import array
from collections.abc import Sequence

from postroad.model import ContentRef, Expunged, Group, Mailbox
from postroad.ports import AtHand, ContentWriter, Entry, Listing, MailboxStatus, StorageError

PREFIX = b"Return-Path: <a@source.test>\r\n"


class FakeMailboxes:
    def __init__(
        self, messages: Sequence[bytes] = (), *, mailbox: int = 101, in_files: bool = False
    ) -> None:
        self.in_files = in_files
        self.plain = False
        self.known = {mailbox: Mailbox(mailbox, 1, "INBOX", 777)}
        self.kept: dict[int, dict[int, bytes]] = {mailbox: {}}
        self.locked: set[int] = set()
        self.committed: list[Group] = []
        self.asked: list[list[int]] = []
        self.broken: set[str] = set()
        for message in messages:
            self.add(message, mailbox=mailbox)

    def add(self, message: bytes, *, mailbox: int = 101) -> None:
        uids = self.kept[mailbox]
        uids[max(uids, default=0) + 1] = message

    def _fail(self, what: str) -> None:
        if what in self.broken:
            raise StorageError(f"{what} is broken")

    # MailboxStore

    async def mailbox(self, mailbox: int) -> Mailbox | None:
        self._fail("mailbox")
        return self.known.get(mailbox)

    async def named(self, account: int, name: str) -> Mailbox | None:
        self._fail("mailbox")
        found = [
            each for each in self.known.values() if (each.account, each.name) == (account, name)
        ]
        return found[0] if found else None

    async def of_account(self, account: int) -> list[MailboxStatus]:
        self._fail("mailbox")
        return [
            MailboxStatus(each, len(self.kept[each.id]), 0, 1, 0)
            for each in self.known.values()
            if each.account == account
        ]

    async def listing(self, mailbox: int) -> Listing | None:
        self._fail("listing")
        if mailbox not in self.known:
            return None
        uids = self.kept[mailbox]
        sizes = [len(PREFIX) + len(message) for message in uids.values()]
        return Listing(self.known[mailbox], array("q", uids), array("q", sizes))

    async def entries(self, mailbox: int, uids: Sequence[int]) -> list[Entry]:
        self._fail("entries")
        self.asked.append(list(uids))
        kept = self.kept[mailbox]
        return [
            Entry(
                uid,
                PREFIX,
                ContentRef(uid, len(kept[uid]), self.plain),
                len(PREFIX) + len(kept[uid]),
            )
            for uid in uids
            if uid in kept
        ]

    async def at_hand(self, mailbox: int, first: int, last: int, max_octets: int) -> list[AtHand]:
        self._fail("at_hand")
        if self.in_files:
            return []
        found: list[AtHand] = [
            (uid, PREFIX, message, self.plain)
            for uid, message in self.kept[mailbox].items()
            if first <= uid <= last
            and len(PREFIX) + len(message) <= max_octets
            and not self.broken & {f"content {uid}", f"cut {uid}"}
        ]
        self.asked.append([message[0] for message in found])
        return found

    # ContentStore

    def stage(self, content_id: int) -> ContentWriter:
        raise NotImplementedError("nothing is staged here")

    async def read(self, ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
        self._fail(f"content {ref.id}")
        message = next(m[ref.id] for m in self.kept.values() if ref.id in m)
        if f"cut {ref.id}" in self.broken:
            message = message[: len(message) // 2]
        return message[offset : None if limit is None else offset + limit]

    # MailboxLocks

    async def acquire(self, mailbox: int) -> bool:
        if mailbox in self.locked:
            return False
        self.locked.add(mailbox)
        return True

    def release(self, mailbox: int) -> None:
        self.locked.remove(mailbox)

    # Ledger

    async def commit(self, group: Group) -> None:
        self._fail("commit")
        self.committed.append(group)
        for change in group.changes:
            assert isinstance(change, Expunged)
            for uid in change.uids:
                self.kept[change.mailbox].pop(uid)
