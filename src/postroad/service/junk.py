"""What owners of accounts teach of junk: by moving mail, and by messages that they name.

A message that moves into Junk is learned as spam, one that moves out of it as ham; except out of it into
Trash, which says only that it was seen. Moved back, what it taught is taken back, as if it had never
moved. A message teaches once, however often it is named.
"""

import hashlib
from collections.abc import Iterable, Sequence

from msgspec import Struct

from postroad.mailbox.bayes import probability
from postroad.mailbox.junk import JunkSettings
from postroad.message.tokens import MAX_MESSAGE_OCTETS, tokens_of
from postroad.model import (
    JUNK,
    Account,
    Address,
    Change,
    Group,
    JunkLearned,
    JunkTotals,
    TokenCount,
    parse_mailbox_name,
)
from postroad.ports import (
    Clock,
    ContentStore,
    Directory,
    Entry,
    JunkStore,
    Ledger,
    MailboxStore,
)
from postroad.service.errors import Refused

LEARN_AT_ONCE = 10
"""Messages that one commit learns: 0.03 s of the writer each, at most."""

_SHOWN_FROM = 20_000
_TRASH = "Trash"


class Word(Struct, frozen=True):
    """A token, in how many messages of each kind it was, and its probability to be in junk."""

    token: str
    spam: int
    ham: int
    probability: float


class JunkReport(Struct, frozen=True):
    """What an account learned. `active`: there is enough of it to judge messages by."""

    totals: JunkTotals
    active: bool
    min_messages: int
    threshold: float
    spam_words: tuple[Word, ...]
    ham_words: tuple[Word, ...]


class JunkDesk:
    """Teaches, and shows what was taught."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        directory: Directory,
        mailboxes: MailboxStore,
        content: ContentStore,
        store: JunkStore,
        clock: Clock,
        settings: JunkSettings,
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._mailboxes = mailboxes
        self._content = content
        self._store = store
        self._clock = clock
        self._settings = settings

    async def of_move(
        self, account: int, entries: Sequence[Entry], from_name: str, into_name: str
    ) -> list[Change]:
        """Return what a move teaches, to be committed with it. Raises `StorageError`."""
        if JUNK not in (from_name, into_name) or into_name == _TRASH:
            return []
        spam = into_name == JUNK
        changes: list[Change] = []
        for entry in entries:
            data = await self._content.read(entry.content, 0, MAX_MESSAGE_OCTETS)
            known = await self._store.lesson(account, _digest(data))
            if known is None:
                changes.append(self._lesson(account, data, spam))
            elif known is not spam:
                changes.append(self._lesson(account, data, known, undo=True))
        return changes

    async def learn(self, address: Address, messages: Iterable[bytes], *, spam: bool) -> int:
        """Learn messages as spam or as ham; return how many were not known as that before.

        What was learned as the other is taken back first. Raises `Refused`, `StorageError`.
        """
        account = await self._account(address)
        changes: list[Change] = []
        count = waiting = 0
        for message in messages:
            data = message[:MAX_MESSAGE_OCTETS]
            known = await self._store.lesson(account.id, _digest(data))
            if known is spam:
                continue
            if known is not None:
                changes.append(self._lesson(account.id, data, known, undo=True))
            changes.append(self._lesson(account.id, data, spam))
            count, waiting = count + 1, waiting + 1
            if waiting >= LEARN_AT_ONCE:
                await self._ledger.commit(Group(tuple(changes)))
                changes, waiting = [], 0
        if changes:
            await self._ledger.commit(Group(tuple(changes)))
        return count

    async def learn_mailbox(self, address: Address, name: str, *, spam: bool) -> int:
        """Learn all that is in a mailbox of the account. Raises `Refused`, `StorageError`."""
        account = await self._account(address)
        mailbox = await self._mailboxes.named(account.id, parse_mailbox_name(name))
        listing = None if mailbox is None else await self._mailboxes.listing(mailbox.id)
        if mailbox is None or listing is None:
            raise Refused(f"{address} has no mailbox {name}; see: postroad mail list {address}")
        count = 0
        uids = list(listing.uids)
        for start in range(0, len(uids), LEARN_AT_ONCE):
            some = await self._mailboxes.entries(mailbox.id, uids[start : start + LEARN_AT_ONCE])
            read = [await self._content.read(each.content, 0, MAX_MESSAGE_OCTETS) for each in some]
            count += await self.learn(address, read, spam=spam)
        return count

    async def report(self, address: Address, words: int = 20) -> JunkReport:
        """Return what an account learned, with the strongest words of each kind. Raises `Refused`."""
        account = await self._account(address)
        totals = await self._store.totals(account.id)
        found = [_word(each, totals) for each in await self._store.most(account.id, _SHOWN_FROM)]
        by_strength = sorted(found, key=lambda each: (each.probability, each.token))
        ham = [each for each in by_strength if each.probability < 0.5]
        spam = [each for each in reversed(by_strength) if each.probability > 0.5]
        settings = self._settings
        return JunkReport(
            totals,
            min(totals.spam, totals.ham) >= settings.min_messages,
            settings.min_messages,
            settings.threshold,
            tuple(spam[:words]),
            tuple(ham[:words]),
        )

    def _lesson(self, account: int, data: bytes, spam: bool, undo: bool = False) -> JunkLearned:
        settings = self._settings
        return JunkLearned(
            self._clock.now(),
            account,
            _digest(data),
            spam,
            tokens_of(data, settings.message_tokens),
            settings.max_tokens,
            settings.max_lessons,
            undo,
        )

    async def _account(self, address: Address) -> Account:
        account = await self._directory.account(address)
        if account is None:
            raise Refused(f"there is no account {address}; see: postroad account list")
        return account


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:16]


def _word(count: TokenCount, totals: JunkTotals) -> Word:
    return Word(count.token, count.spam, count.ham, probability(count, totals))
