"""What readers of mail beyond POP3 ask of the store (RFC 8621): an account's emails, noticed once, with
their threads, what changed when, and searching.

All that is known of an account has one counter, its state: each change of an email or of a mailbox gives
that one the next number. What is gone is remembered for a while, so that it can be told since then.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from postroad.model import (
    Combined,
    Condition,
    ContentRef,
    Identity,
    Sort,
    Submission,
    Upload,
)
from postroad.ports.mailbox import Entry

KEEP_STATES = 100_000
"""What went longer ago than so many steps of its account's counter is not remembered."""


class EmailState(Struct, frozen=True):
    """How far an account's counter is."""

    state: int = 0

    @property
    def known_since(self) -> int:
        """The first state since which all changes are known."""
        return max(0, self.state - KEEP_STATES)


class Unnoticed(Struct, frozen=True):
    """An entry that is to be noticed, and in which mailbox."""

    mailbox: int
    entry: Entry


class Email(Struct, frozen=True):
    """An email. `created` and `changed` are states of its account. `flags` and `keywords` are packed
    (`unpack_keywords`), `received_at` is seconds since 1970, `size` is in octets. `summary` is JSON.
    """

    id: int
    thread: int
    mailbox: int
    uid: int
    created: int
    changed: int
    received_at: float
    size: int
    flags: int
    keywords: str
    attachment: bool
    summary: str


class EmailBytes(Struct, frozen=True):
    """Where an email's bytes are: `prefix`, then the content."""

    id: int
    prefix: bytes
    content: ContentRef
    size: int
    message: int


class EmailChange(Struct, frozen=True):
    """That an email changed, or is gone; `created` and `changed` are states, as is that of its end."""

    id: int
    thread: int
    created: int
    changed: int
    gone: bool


class Box(Struct, frozen=True):
    """A mailbox. `made`, `changed` (name, place) and `counted` (what is in it) are states."""

    id: int
    name: str
    sort_order: int
    subscribed: bool
    made: int
    changed: int
    counted: int


class BoxGone(Struct, frozen=True):
    """That a mailbox was removed at a state, and in which it was made."""

    id: int
    made: int
    gone: int


class Counts(Struct, frozen=True):
    """What is in a mailbox: all, and what is neither seen nor a draft; emails, and their threads."""

    emails: int = 0
    unread: int = 0
    threads: int = 0
    unread_threads: int = 0


class EmailStore(Protocol):
    """Reads emails. What is asked of one account never tells of another."""

    async def state(self, account: int) -> EmailState:
        """Return how far the account's counter is."""
        ...

    async def unnoticed(
        self, account: int, limit: int
    ) -> tuple[list[Unnoticed], Mapping[int, int]]:
        """Return at most `limit` entries that are not noticed, and what `Noticed.up_to` is to say once
        these are: both empty where there is nothing to be noticed.
        """
        ...

    async def threads_of(self, account: int, keys: Sequence[int]) -> dict[int, int]:
        """Return the threads of those keys that are known."""
        ...

    async def boxes(self, account: int) -> list[Box]:
        """Return the account's mailboxes that were noticed."""
        ...

    async def boxes_gone(self, account: int, since: int) -> list[BoxGone]:
        """Return the mailboxes that went after a state."""
        ...

    async def counts(self, account: int) -> dict[int, Counts]:
        """Return what is in each mailbox that is not empty."""
        ...

    async def emails(self, account: int, ids: Sequence[int]) -> list[Email]:
        """Return these emails in the order asked; those that are not there are left out."""
        ...

    async def bytes_of(self, account: int, ids: Sequence[int]) -> list[EmailBytes]:
        """Return where the bytes of these emails are; those that are not there are left out."""
        ...

    async def at(self, account: int, mailbox: int, uid: int) -> int | None:
        """Return the id of the email of an entry."""
        ...

    async def in_threads(self, account: int, threads: Sequence[int]) -> dict[int, list[int]]:
        """Return the emails of these threads, the first received first."""
        ...

    async def find(
        self,
        account: int,
        where: Condition | Combined | None,
        sort: Sequence[Sort],
        limit: int | None = None,
        offset: int = 0,
    ) -> list[tuple[int, int]]:
        """Return id and thread of the emails that fit, in order; of the first, `offset` are left out."""
        ...

    async def count(
        self, account: int, where: Condition | Combined | None, threads: bool = False
    ) -> int:
        """Return how many emails fit, or how many threads have one that fits."""
        ...

    async def changes(self, account: int, since: int, limit: int) -> list[EmailChange]:
        """Return what changed after a state, in the order of the changes."""
        ...

    async def identities(self, account: int) -> list[Identity]:
        """Return the identities that the account keeps."""
        ...

    async def upload(self, account: int, upload: int) -> Upload | None:
        """Return what the account uploaded by that id."""
        ...

    async def submissions(self, account: int) -> list[Submission]:
        """Return what the account sent, the newest first."""
        ...
