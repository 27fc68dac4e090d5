"""One locked session's view of a mailbox, as POP3 needs it (RFC 1939 §4).

The list is taken once, under the lock; what arrives later is for the next session. Messages are read
ahead, since clients fetch one after the other: a few at first, more while the client goes on in order,
never above a bound in octets. Who asks keeps what it gets; nothing is kept here. Entries are deleted by
`commit` alone, in one change; whatever happens to the connection, `close` lets go of the lock.
"""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from postroad.model import Expunged, Group
from postroad.policy import eager
from postroad.ports import (
    AtHand,
    Clock,
    ContentStore,
    Entry,
    Ledger,
    Listing,
    MailboxLocks,
    MailboxStore,
    StorageError,
)

_NOTHING: AtHand = (-1, b"", b"", False)


class MailboxInUse(Exception):
    """Another session has the mailbox."""


class MailboxGone(Exception):
    """There is no such mailbox (any more)."""


class EntryGone(StorageError):
    """The message, or a part of it, is no longer in the store."""


class ReadAhead(Struct, frozen=True):
    """Bounds of what is read at once: `octets`, of `entries` messages at most.

    Messages larger than `piece_octets` are read in pieces of that size, and not ahead.
    """

    octets: int = 256 * 1024
    entries: int = 64
    piece_octets: int = 64 * 1024


class Maildrop:
    """An open mailbox. Messages go by their index in `listing`. Made by `Maildrop.open`."""

    def __init__(
        self,
        listing: Listing,
        *,
        store: MailboxStore,
        content: ContentStore,
        locks: MailboxLocks,
        ledger: Ledger,
        clock: Clock,
        read_ahead: ReadAhead,
    ) -> None:
        self.listing = listing
        self._store = store
        self._content = content
        self._locks = locks
        self._ledger = ledger
        self._clock = clock
        self._bounds = read_ahead
        self._open = True
        self._expected = 0
        self._batch = 1
        self._large: tuple[int, Entry] | None = None

    @classmethod
    async def open(
        cls,
        mailbox: int,
        *,
        store: MailboxStore,
        content: ContentStore,
        locks: MailboxLocks,
        ledger: Ledger,
        clock: Clock,
        read_ahead: ReadAhead | None = None,
    ) -> "Maildrop":
        """Lock a mailbox and list it.

        Raises `MailboxInUse`, `MailboxGone`, `StorageError`; the lock is then not held.
        """
        if not await locks.acquire(mailbox):
            raise MailboxInUse
        try:
            listing = await store.listing(mailbox)
            if listing is None:
                raise MailboxGone
        except BaseException:
            locks.release(mailbox)
            raise
        return cls(
            listing,
            store=store,
            content=content,
            locks=locks,
            ledger=ledger,
            clock=clock,
            read_ahead=read_ahead or ReadAhead(),
        )

    def size(self, index: int) -> int:
        """Return a message's size in octets."""
        return self.listing.sizes[index]

    def is_large(self, index: int) -> bool:
        """Whether a message is to be had by `read_piece`; if not, by `read_ahead`."""
        return self.listing.sizes[index] > self._bounds.piece_octets

    async def read_ahead(self, index: int) -> dict[int, AtHand]:
        """Return the small message at `index` and, while the client goes on in order, some of those
        behind it: all whole, of the sizes told, by their indexes.

        Raises `EntryGone`, `StorageError`.
        """
        indexes = self._worth_reading(index)
        uids = self.listing.uids
        first, last = indexes[0], indexes[-1]
        found = await self._store.at_hand(
            self.listing.mailbox.id, uids[first], uids[last], self._bounds.piece_octets
        )
        ahead = self._checked(first, last, found)
        if len(ahead) < len(indexes):
            await self._read_slowly(index, [i for i in indexes if i not in ahead], ahead)
        if index not in ahead:
            raise EntryGone(f"message {index + 1} is no longer complete in the mailbox")
        self._expected = last + 1
        return ahead

    async def read_piece(self, index: int, offset: int) -> bytes:
        """Return a piece of a large message from `offset`, which is below its size; never ``b""``.

        Raises `EntryGone`, `StorageError`.
        """
        entry = await self._entry(index)
        prefix = entry.prefix
        limit = self._bounds.piece_octets
        if index == self._expected:
            self._expected += 1
        if offset < len(prefix):
            head = prefix[offset : offset + limit]
            room = limit - len(head)
            if not room:
                return head
            return head + await self._content.read(entry.content, 0, room)
        limit = min(limit, self.size(index) - offset)
        data = await self._content.read(entry.content, offset - len(prefix), limit)
        if not data:
            raise EntryGone("the message's content is cut short in the store")
        return data

    async def commit(self, deleted: Sequence[int]) -> None:
        """Delete entries by index, durable on return, and let go of the mailbox.

        Raises `StorageError`; nothing is then deleted, and the mailbox is let go of all the same.
        """
        try:
            if deleted:
                uids = self.listing.uids
                gone = Expunged(
                    at=self._clock.now(),
                    mailbox=self.listing.mailbox.id,
                    uids=tuple([uids[index] for index in deleted]),
                )
                await self._ledger.commit(Group((gone,)))
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the mailbox without deleting anything. Safe to call more than once."""
        if self._open:
            self._open = False
            self._locks.release(self.listing.mailbox.id)

    def _checked(self, first: int, last: int, found: Sequence[AtHand]) -> dict[int, AtHand]:
        """Return what was found of the indexes from `first` to `last`, by index. What the client was
        told as the size must be what it gets.
        """
        uids = self.listing.uids[first : last + 1]
        sizes = self.listing.sizes[first : last + 1]
        if len(found) != len(uids):
            there = {message[0]: message for message in found}
            found = [there.get(uid, _NOTHING) for uid in uids]
        return {
            index: message
            for index, uid, size, message in zip(
                range(first, last + 1), uids, sizes, found, strict=True
            )
            if uid == message[0] and size == len(message[1]) + len(message[2])
        }

    async def _read_slowly(
        self, asked: int, indexes: Sequence[int], ahead: dict[int, AtHand]
    ) -> None:
        """Add to `ahead` small messages that are kept in files, read all at the same time.

        Raises only what concerns the message that was asked for.
        """
        listing = self.listing
        by_uid = {listing.uids[index]: index for index in indexes}
        entries = await self._store.entries(listing.mailbox.id, list(by_uid))
        loop = asyncio.get_running_loop()
        reads = [(entry, eager.start(self._whole(entry), loop)) for entry in entries]
        failure: StorageError | None = None
        for entry, started in reads:
            content = await started if isinstance(started, asyncio.Task) else started.result()
            index = by_uid[entry.uid]
            if isinstance(content, StorageError):
                failure = content if index == asked else failure
            elif len(entry.prefix) + len(content) == listing.sizes[index]:
                ahead[index] = (entry.uid, entry.prefix, content, entry.content.plain)
        if failure is not None:
            raise failure

    def _worth_reading(self, first: int) -> list[int]:
        """Ahead only while the client goes on in order, and then more each time."""
        bounds = self._bounds
        self._batch = min(self._batch * 4, bounds.entries) if first == self._expected else 1
        sizes = self.listing.sizes
        room = bounds.octets - sizes[first]
        indexes = [first]
        for index in range(first + 1, min(first + self._batch, len(sizes))):
            size = sizes[index]
            if size > bounds.piece_octets:
                continue
            room -= size
            if room < 0:
                break
            indexes.append(index)
        return indexes

    async def _whole(self, entry: Entry) -> bytes | StorageError:
        """Return the content of a small entry. Failures are returned: they concern it alone."""
        content = entry.content
        try:
            data = await self._content.read(content)
            while len(data) < content.size:
                more = await self._content.read(content, len(data))
                if not more:
                    return EntryGone("the message's content is cut short in the store")
                data += more
        except StorageError as error:
            return error
        return data

    async def _entry(self, index: int) -> Entry:
        """Return a large message's entry, looked up once for all its pieces."""
        if self._large is None or self._large[0] != index:
            entries = await self._store.entries(self.listing.mailbox.id, [self.listing.uids[index]])
            if not entries:
                raise EntryGone(f"message {index + 1} is no longer in the mailbox")
            self._large = (index, entries[0])
        return self._large[1]
