"""What mailboxes ask of the store."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from postroad.model import ContentRef, Mailbox


class Listing(Struct, frozen=True):
    """All entries of a mailbox in the order of their uids: three columns of equal length.

    `sizes` are in octets, as sent. The columns may be `array.array` or lists.
    """

    mailbox: Mailbox
    uids: Sequence[int]
    sizes: Sequence[int]


class MailboxStatus(Struct, frozen=True):
    """A mailbox and what is in it: how many entries of how many octets, the uid that the next one will
    get, and the highest modseq.
    """

    mailbox: Mailbox
    entries: int
    octets: int
    uid_next: int
    modseq: int


class Entry(Struct, frozen=True):
    """One message in one mailbox. Its bytes are `prefix` followed by the content.

    `message` is the one it was deposited from, whose journey may be gone; `deposited_at` is seconds
    since 1970, and stays when it is moved, as its content does.
    """

    uid: int
    prefix: bytes
    content: ContentRef
    size: int
    message: int = 0
    deposited_at: float = 0.0
    modseq: int = 0


AtHand: TypeAlias = tuple[int, bytes, bytes, bool]
"""A small entry with its bytes: uid, prefix, content, and whether it is plain. Prefix and content of
what is plain can be sent as they are: neither is known to hold a line that begins with a dot. (A plain
tuple, as a store's row comes, since there is one for each message that is read.)
"""


class MailboxStore(Protocol):
    """Reads mailboxes."""

    async def mailbox(self, mailbox: int) -> Mailbox | None:
        """Return the mailbox of that id, None where there is none (any more)."""
        ...

    async def named(self, account: int, name: str) -> Mailbox | None:
        """Return an account's mailbox of that name, None where there is none."""
        ...

    async def of_account(self, account: int) -> list[MailboxStatus]:
        """Return an account's mailboxes in the order of their names."""
        ...

    async def listing(self, mailbox: int) -> Listing | None:
        """Return uids and sizes of all entries, None where there is no such mailbox."""
        ...

    async def entries(self, mailbox: int, uids: Sequence[int]) -> list[Entry]:
        """Return these entries in the order asked; those that are gone are left out."""
        ...

    async def at_hand(
        self, mailbox: int, first: int, last: int, max_octets: int
    ) -> Sequence[AtHand]:
        """Return, in the order of their uids, the entries from uid `first` to `last` that have at most
        `max_octets` and can be had at once; others are left out. Who needs those reads `entries` and
        their contents.
        """
        ...


class MailboxLocks(Protocol):
    """One session at a time per mailbox (RFC 1939 §4). A dead holder's lock is free by itself."""

    async def acquire(self, mailbox: int) -> bool:
        """Take the lock; False where another session, in any process of any node, has it.

        Raises `StorageError`.
        """
        ...

    def release(self, mailbox: int) -> None:
        """Give it back."""
        ...
