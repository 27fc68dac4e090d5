"""`ports.EmailStore` on SQLite: short look-ups in the event loop's thread, searches in another.

Lists come as one row of JSON that SQLite makes, whatever their length, as in `mailboxes`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from postroad.model import Combined, Condition, ContentRef, Identity, Sort, Submission, Upload
from postroad.ports import (
    Box,
    BoxGone,
    Counts,
    Email,
    EmailBytes,
    EmailChange,
    EmailState,
    Entry,
    Unnoticed,
)
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.email_query import Selection, words_of
from postroad.storage.sql.statements import SQL

FEW = 200
"""Emails with the words of a search: so many, or fewer, are looked at one by one."""

_decode_numbers = msgspec.json.Decoder(list[int]).decode
_decode_identity = msgspec.json.Decoder(Identity).decode
_decode_submission = msgspec.json.Decoder(Submission).decode


class SqlEmails:
    """Reads emails. See `ports.EmailStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def state(self, account: int) -> EmailState:
        """Return how far the account's counter is."""
        rows = self._database.read(SQL["email_state"], (account,))
        return EmailState(rows[0][0]) if rows else EmailState()

    async def unnoticed(self, account: int, limit: int) -> tuple[list[Unnoticed], dict[int, int]]:
        """Return at most `limit` entries that are not noticed, and what `Noticed.up_to` is to say."""
        return self._database.attempt(lambda c: _unnoticed(c, account, limit))

    async def threads_of(self, account: int, keys: Sequence[int]) -> dict[int, int]:
        """Return the threads of those keys that are known."""
        found: dict[int, int] = {}
        for key in keys:
            rows = self._database.read(SQL["email_thread_get"], (account, key))
            if rows:
                found[key] = rows[0][0]
        return found

    async def boxes(self, account: int) -> list[Box]:
        """Return the account's mailboxes that were noticed."""
        rows = self._database.read(SQL["email_boxes"], (account,))
        return [
            Box(number, name, order, bool(subscribed), made, changed, counted)
            for number, name, order, subscribed, made, changed, counted in rows
        ]

    async def boxes_gone(self, account: int, since: int) -> list[BoxGone]:
        """Return the mailboxes that went after a state."""
        rows = self._database.read(SQL["email_boxes_gone"], (account, since))
        return [BoxGone(*row) for row in rows]

    async def counts(self, account: int) -> dict[int, Counts]:
        """Return what is in each mailbox that is not empty."""
        ids = [box.id for box in await self.boxes(account)]

        def read(connection: Connection) -> list[Any]:
            return [connection.execute(SQL["email_counts"], (each,)).get for each in ids]

        rows = await self._database.browse(read)
        return {each: Counts(*row) for each, row in zip(ids, rows, strict=True) if row[0]}

    async def emails(self, account: int, ids: Sequence[int]) -> list[Email]:
        """Return these emails in the order asked; those that are not there are left out."""
        rows: Any = self._database.attempt(
            lambda c: c.executemany(SQL["email_get"], [(account, each) for each in ids]).fetchall()
        )
        return [_email(row) for row in rows]

    async def bytes_of(self, account: int, ids: Sequence[int]) -> list[EmailBytes]:
        """Return where the bytes of these emails are; those that are not there are left out."""
        rows: Any = self._database.attempt(
            lambda c: c.executemany(SQL["email_bytes"], [(account, n) for n in ids]).fetchall()
        )
        return [
            EmailBytes(email, prefix, ContentRef(content, content_size, bool(plain)), size, message)
            for email, prefix, content, content_size, plain, size, message in rows
        ]

    async def at(self, account: int, mailbox: int, uid: int) -> int | None:
        """Return the id of the email of an entry."""
        rows = self._database.read(SQL["email_at"], (account, mailbox, uid))
        return rows[0][0] if rows else None

    async def in_threads(self, account: int, threads: Sequence[int]) -> dict[int, list[int]]:
        """Return the emails of these threads, the first received first."""
        rows: Any = self._database.attempt(
            lambda c: c.executemany(
                SQL["email_in_thread"], [(account, each) for each in dict.fromkeys(threads)]
            ).fetchall()
        )
        found: dict[int, list[int]] = {}
        for thread, email in rows:
            found.setdefault(thread, []).append(email)
        return found

    async def find(
        self,
        account: int,
        where: Condition | Combined | None,
        sort: Sequence[Sort],
        limit: int | None = None,
        offset: int = 0,
    ) -> list[tuple[int, int]]:
        """Return id and thread of the emails that fit, in order; of the first, `offset` are left out."""

        def read(connection: Connection) -> Any:
            selection = _selection(connection, account, where)
            ordered = f"SELECT id, thread {selection.sql} {selection.order(sort)} LIMIT ? OFFSET ?"
            values = (*selection.values, -1 if limit is None else limit, offset)
            sql = f"SELECT json_group_array(id), json_group_array(thread) FROM ({ordered})"
            return connection.execute(sql, values).get

        ids, threads = await self._database.browse(read)
        return list(zip(_decode_numbers(ids), _decode_numbers(threads), strict=True))

    async def count(
        self, account: int, where: Condition | Combined | None, threads: bool = False
    ) -> int:
        """Return how many emails fit, or how many threads have one that fits."""
        what = "count(DISTINCT thread)" if threads else "count(*)"

        def read(connection: Connection) -> Any:
            selection = _selection(connection, account, where)
            return connection.execute(f"SELECT {what} {selection.sql}", selection.values).get

        return int(await self._database.browse(read))

    async def changes(self, account: int, since: int, limit: int) -> list[EmailChange]:
        """Return what changed after a state, in the order of the changes."""
        rows = self._database.read(SQL["email_changes"], (account, since, limit))
        return [
            EmailChange(email, thread, created, changed, bool(gone))
            for email, thread, created, changed, gone in rows
        ]

    async def identities(self, account: int) -> list[Identity]:
        """Return the identities that the account keeps."""
        rows = self._database.read(SQL["identity_of_account"], (account,))
        return [_decode_identity(text) for (text,) in rows]

    async def upload(self, account: int, upload: int) -> Upload | None:
        """Return what the account uploaded by that id."""
        rows = self._database.read(SQL["upload_get"], (account, upload))
        if not rows:
            return None
        number, owner, size, media_type, at = rows[0]
        return Upload(number, owner, ContentRef(number, size), media_type, at)

    async def submissions(self, account: int) -> list[Submission]:
        """Return what the account sent, the newest first."""
        rows = self._database.read(SQL["submission_of_account"], (account,))
        return [_decode_submission(text) for (text,) in rows]


def _selection(
    connection: Connection, account: int, where: Condition | Combined | None
) -> Selection:
    words = words_of(account, where)
    few = words is not None and (
        connection.execute(SQL["email_words_few"], (words, FEW + 1)).get <= FEW
    )
    return Selection(account, where, few)


def _email(row: Any) -> Email:
    (
        number,
        thread,
        mailbox,
        uid,
        created,
        changed,
        at,
        size,
        flags,
        keywords,
        attachment,
        summary,
    ) = row
    seen = bool(attachment)
    return Email(
        number, thread, mailbox, uid, created, changed, at, size, flags, keywords, seen, summary
    )


def _unnoticed(
    connection: Connection, account: int, limit: int
) -> tuple[list[Unnoticed], dict[int, int]]:
    behind: Any = connection.execute(SQL["email_behind"], (account,)).fetchall()
    found: list[Unnoticed] = []
    up_to: dict[int, int] = {}
    for mailbox, uid_next, first, new in behind:
        left = limit - len(found)
        if left <= 0:
            if new:
                up_to.setdefault(mailbox, first)
            continue
        rows: Any = connection.execute(SQL["email_unnoticed"], (mailbox, first, left)).fetchall()
        for uid, prefix, content, content_size, plain, size, *rest in rows:
            entry = Entry(uid, prefix, ContentRef(content, content_size, bool(plain)), size, *rest)
            found.append(Unnoticed(mailbox, entry))
        up_to[mailbox] = uid_next if len(rows) < left else rows[-1][0] + 1
    return found, up_to
