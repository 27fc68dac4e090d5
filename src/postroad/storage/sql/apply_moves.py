"""Moves entries between mailboxes, inside the writer's open transaction."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from postroad.model import Moved
from postroad.storage import conflicts
from postroad.storage.sql import apply_emails
from postroad.storage.sql.connection import Connection
from postroad.storage.sql.statements import SQL


def move(connection: Connection, change: Moved) -> Iterator[tuple[int | None, Moved]]:
    """Move; yield what to tell in the journey: of each entry the message and its part of the change.

    Raises `Conflict`.
    """
    if change.mailbox == change.into:
        raise conflicts.same_mailbox()
    accounts = []
    for mailbox in (change.mailbox, change.into):
        account = connection.execute(SQL["mailbox_account"], (mailbox,)).get
        if account is None:
            raise conflicts.mailbox_gone(mailbox)
        accounts.append(account)
    if accounts[0] != accounts[1]:
        raise conflicts.other_account(change.into)
    first_uid, modseq = connection.execute(SQL["mailbox_next"], (change.into,)).get
    steps = apply_emails.steps_of(connection, change.mailbox)
    places = change.mailbox, change.into
    moved = 0
    for uid in change.uids:
        values = (change.mailbox, uid, change.into, first_uid + moved, modseq + moved + 1)
        rows: Any = connection.execute(SQL["entry_move"], values).fetchall()
        for (message,) in rows:
            if steps is not None:
                apply_emails.moved(connection, steps, first_uid + moved, *places)
            moved += 1
            yield message, replace(change, uids=(uid,))
    connection.execute(SQL["mailbox_grown"], (change.into, moved))
    connection.execute(SQL["mailbox_left"], (change.mailbox, moved))
