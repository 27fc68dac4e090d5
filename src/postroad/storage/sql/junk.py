"""`ports.JunkStore`, and how what was taught is written inside the writer's open transaction."""

from collections.abc import Sequence
from typing import Any

import msgspec

from postroad.model import JunkLearned, JunkTotals, TokenCount
from postroad.storage.conflicts import no_account
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

_encode = msgspec.json.Encoder().encode


class SqlJunk:
    """See `ports.JunkStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def totals(self, account: int) -> JunkTotals:
        """Return how much an account's owner taught."""
        rows = self._database.read(SQL["junk_totals"], (account,))
        return JunkTotals(*rows[0]) if rows else JunkTotals()

    async def taught(self, account: int) -> JunkTotals:
        """Return the same without counting the tokens."""
        rows = self._database.read(SQL["junk_taught"], (account,))
        return JunkTotals(*rows[0]) if rows else JunkTotals()

    async def counts(self, account: int, tokens: Sequence[str]) -> list[TokenCount]:
        """Return those of the tokens that are known."""
        listed = _encode(list(tokens)).decode()
        rows = self._database.read(SQL["junk_counts"], (account, listed))
        return [TokenCount(*row) for row in rows]

    async def lesson(self, account: int, digest: bytes) -> bool | None:
        """Return as what a message was learned, None where it was not."""
        rows = self._database.read(SQL["junk_lesson_of"], (account, digest))
        return bool(rows[0][0]) if rows else None

    async def most(self, account: int, limit: int) -> list[TokenCount]:
        """Return the tokens that were in most messages, most first."""
        rows: Any = await self._database.browse(
            lambda c: c.execute(SQL["junk_most"], (account, limit)).fetchall()
        )
        return [TokenCount(*row) for row in rows]


def learn(connection: Connection, change: JunkLearned) -> None:
    """Learn a message or take it back. Raises `Conflict`."""
    account = change.account
    if connection.execute(SQL["account_get_by_id"], (account,)).get is None:
        raise no_account(account)
    known: Any = connection.execute(SQL["junk_lesson_of"], (account, change.digest)).get
    if known != (change.spam if change.undo else None):
        return
    spam, ham = int(change.spam), int(not change.spam)
    tokens = dict.fromkeys(change.tokens)
    if change.undo:
        connection.execute(SQL["junk_lesson_delete"], (account, change.digest))
        connection.execute(SQL["junk_total_add"], (account, -spam, -ham))
        taken = [(account, token, spam, ham) for token in tokens]
        connection.executemany(SQL["junk_token_take"], taken)
        connection.executemany(SQL["junk_token_sweep"], [(account, token) for token in tokens])
        return
    lesson = (account, change.digest, change.spam, change.at)
    connection.execute(SQL["junk_lesson_put"], lesson)
    connection.execute(SQL["junk_lesson_keep_newest"], (account, change.keep_lessons))
    connection.execute(SQL["junk_total_add"], (account, spam, ham))
    added = [(account, token, spam, ham, change.at) for token in tokens]
    connection.executemany(SQL["junk_token_add"], added)
    connection.execute(SQL["junk_token_keep_newest"], (account, change.keep_tokens))


def forget(connection: Connection, account: int) -> None:
    """Forget all that an account's owner taught."""
    for statement in ("junk_delete_totals", "junk_delete_tokens", "junk_delete_lessons"):
        connection.execute(SQL[statement], (account,))
