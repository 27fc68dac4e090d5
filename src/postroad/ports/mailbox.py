"""What mailboxes ask of the store."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from postroad.model import ContentRef, Mailbox


class Listing(Struct, frozen=True):
    """All entries of a mailbox in the order of their uids: three columns of equal length.

    `sizes` are in octets, as sent. The columns may be `array.array` or lists.
    """

    mailbox: Mailbox
    uids: Sequence[int]
    sizes: Sequence[int]


class Entry(Struct, frozen=True):
    """One message in one mailbox. Its bytes are `prefix` followed by the content."""

    uid: int
    prefix: bytes
    content: ContentRef
    size: int


class MailboxStore(Protocol):
    """Reads mailboxes."""

    async def mailbox(self, mailbox: int) -> Mailbox | None:
        """Return the mailbox of that id, None where there is none (any more)."""
        ...

    async def named(self, account: int, name: str) -> Mailbox | None:
        """Return an account's mailbox of that name, None where there is none."""
        ...

    async def listing(self, mailbox: int) -> Listing | None:
        """Return uids and sizes of all entries, None where there is no such mailbox."""
        ...

    async def entries(self, mailbox: int, uids: Sequence[int]) -> list[Entry]:
        """Return these entries in the order asked; those that are gone are left out."""
        ...

    async def at_hand(
        self, mailbox: int, first: int, last: int, max_octets: int
    ) -> Mapping[int, bytes]:
        """Return, by uid, the octets (prefix and content) of the entries from uid `first` to `last`
        that have at most `max_octets` and can be had at once; others are left out. Who needs those
        reads `entries` and their contents.
        """
        ...


class MailboxLocks(Protocol):
    """One session at a time per mailbox (RFC 1939 §4). A dead holder's lock is free by itself."""

    def acquire(self, mailbox: int) -> bool:
        """Take the lock; False where another session, in any process, has it."""
        ...

    def release(self, mailbox: int) -> None:
        """Give it back."""
        ...
