"""Makes the words anew by which emails are found: from the mail itself, as when it was noticed."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from postroad.model import ContentRef, Words
from postroad.storage.sql.statements import SQL
from postroad.storage.transfer.copying import Target, Told

ReadLarge: TypeAlias = Callable[[ContentRef, int, int, int], Awaitable[bytes]]
"""Reads a piece of a large content: which, where it begins, the offset, how much."""

PAGE_EMAILS = 50


async def make_words(
    target: Target,
    read: ReadLarge,
    read_octets: int,
    words_of: Callable[[bytes], Words],
    told: Told,
) -> int:
    """Add the words of emails that have none; return of how many. `words_of` is given the first
    `read_octets` of a message, with what final delivery put on top. Raises `StorageError`.
    """
    connection = target.connection
    total: int = connection.execute(SQL["words_wanting_count"]).get
    done, last = 0, -1
    while rows := connection.execute(SQL["words_wanting"], (last, PAGE_EMAILS)).fetchall():
        found = [(row, await _begin(row, read, read_octets)) for row in rows]
        with target.transaction():
            for (email, account, *_), data in found:
                connection.execute(
                    SQL["email_words_insert"], _values(email, account, words_of(data))
                )
        done += len(rows)
        last = rows[-1][0]
        told("words", done, total)
    return done


async def _begin(row: Any, read: ReadLarge, octets: int) -> bytes:
    _, _, prefix, content, size, place, begins, data = row
    if place != "inline":
        data = await read(ContentRef(content, size), begins, 0, octets)
    return bytes(prefix) + bytes(data or b"")[:octets]


def _values(email: int, account: int, words: Words) -> tuple[object, ...]:
    return (
        email,
        f"a{account}",
        words.author,
        words.to,
        words.cc,
        words.bcc,
        words.subject,
        words.body,
    )
