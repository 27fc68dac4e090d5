"""`ports.MailboxStore` on the reader connection.

A listing is one row of two JSON lists made by SQLite from a covering index, whatever the number of
entries; those of large mailboxes are made in a thread (SQLite lets go of the interpreter meanwhile).
"""

from array import array
from collections.abc import Sequence
from typing import Any

import msgspec

from postroad.model import ContentRef, Mailbox
from postroad.ports import AtHand, Entry, Listing, MailboxStatus
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

THREAD_FROM_UID = (
    5000  # a mailbox that had so many entries may still have them: list it in a thread
)

_decode_numbers = msgspec.json.Decoder(list[int]).decode


class SqlMailboxes:
    """Reads mailboxes. See `ports.MailboxStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def mailbox(self, mailbox: int) -> Mailbox | None:
        """Return the mailbox of that id, None where there is none (any more)."""
        rows = self._database.read(SQL["mailbox_get"], (mailbox,))
        return Mailbox(*rows[0][:4]) if rows else None

    async def named(self, account: int, name: str) -> Mailbox | None:
        """Return an account's mailbox of that name, None where there is none."""
        rows = self._database.read(SQL["mailbox_named"], (account, name))
        return Mailbox(*rows[0]) if rows else None

    async def of_account(self, account: int) -> list[MailboxStatus]:
        """Return an account's mailboxes in the order of their names."""
        rows: Any = await self._database.browse(
            lambda c: c.execute(SQL["mailbox_of_account"], (account,)).fetchall()
        )
        return [MailboxStatus(Mailbox(*row[:4]), *row[4:]) for row in rows]

    async def listing(self, mailbox: int) -> Listing | None:
        """Return uids and sizes of all entries, None where there is no such mailbox."""
        rows = self._database.read(SQL["mailbox_get"], (mailbox,))
        if not rows:
            return None
        number, account, name, uid_validity, uid_next = rows[0]
        if uid_next > THREAD_FROM_UID:
            uids, sizes = await self._database.browse(lambda c: _columns(c, mailbox))
        else:
            uids, sizes = self._database.attempt(lambda c: _columns(c, mailbox))
        return Listing(Mailbox(number, account, name, uid_validity), uids, sizes)

    async def entries(self, mailbox: int, uids: Sequence[int]) -> list[Entry]:
        """Return these entries in the order asked; those that are gone are left out."""
        found: Any = self._database.attempt(
            lambda connection: connection.executemany(
                SQL["entry_get"], [(mailbox, uid) for uid in uids]
            ).fetchall()
        )
        return [
            Entry(uid, prefix, ContentRef(content, content_size, bool(plain)), size, *rest)
            for uid, prefix, content, content_size, plain, size, *rest in found
        ]

    async def at_hand(self, mailbox: int, first: int, last: int, max_octets: int) -> list[AtHand]:
        """Return small entries of a range of uids with their bytes, those not kept in files.

        One statement for all: asked one by one, entry and content cost four times as much.
        """
        return self._database.read(SQL["entry_inline"], (mailbox, first, last, max_octets))


def _columns(connection: Connection, mailbox: int) -> "tuple[array[int], array[int]]":
    uids, sizes = connection.execute(SQL["entry_listing"], (mailbox,)).get
    return array("Q", _decode_numbers(uids)), array("Q", _decode_numbers(sizes))
