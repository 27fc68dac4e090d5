"""Applies what owners do with their mail, inside the writer's open transaction, and keeps what was
noticed of it in step: `Steps` counts for one account.

Of accounts of which nothing was noticed, the tables of emails stay empty, and cost one look-up.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from postroad.model import (
    Expunged,
    Filed,
    Flagged,
    Glance,
    IdentityKept,
    IdentityRemoved,
    MailboxChanged,
    MailboxRemoved,
    Noticed,
    Submitted,
    Uploaded,
    pack_keywords,
    unpack_keywords,
)
from postroad.ports import KEEP_STATES
from postroad.storage import conflicts
from postroad.storage.sql.connection import Connection
from postroad.storage.sql.statements import SQL


class Steps:
    """The counter of one account: `next` is a new state, None where nothing of it was noticed."""

    def __init__(self, connection: Connection, account: int) -> None:
        self.account = account
        self._connection = connection

    def next(self) -> int | None:
        """Count one further."""
        state: int | None = self._connection.execute(SQL["email_step"], (self.account, 1)).get
        return state

    def forget(self, state: int) -> None:
        """Forget what went too long ago."""
        if state > KEEP_STATES:
            for statement in ("email_gone_forget", "email_mailbox_gone_forget"):
                values = (self.account, state - KEEP_STATES)
                self._connection.execute(SQL[statement], values)


def steps_of(connection: Connection, mailbox: int) -> Steps | None:
    """Return the counter of a mailbox's account, None where it was not noticed."""
    account = connection.execute(SQL["email_of_mailbox"], (mailbox,)).get
    return None if account is None else Steps(connection, account)


def moved(connection: Connection, steps: Steps, uid: int, left: int, into: int) -> None:
    """The entry that is `uid` of `into` by now was in `left`."""
    if connection.execute(SQL["email_of_entry"], (into, uid)).get is None:
        return
    state = steps.next()
    connection.execute(SQL["email_moved"], (uid, into, state))
    for mailbox in (left, into):
        connection.execute(SQL["email_mailbox_counted"], (mailbox, state))


def expunge(connection: Connection, mailbox: int, uids: tuple[int, ...]) -> None:
    """Forget the emails of entries that are about to go."""
    steps = steps_of(connection, mailbox)
    if steps is None:
        return
    state = None
    for uid in uids:
        found: Any = connection.execute(SQL["email_of_entry"], (mailbox, uid)).get
        if found is None:
            continue
        email, thread, created, account = found
        state = steps.next()
        connection.execute(SQL["email_delete"], (email,))
        connection.execute(SQL["email_words_delete"], (email,))
        connection.execute(SQL["email_thread_delete"], (account, thread))
        connection.execute(SQL["email_gone_insert"], (account, state, email, thread, created))
        connection.execute(SQL["email_mailbox_counted"], (mailbox, state))
    if state is not None:
        steps.forget(state)


def filed(connection: Connection, change: Filed) -> None:
    """Put an entry into a mailbox. Raises `Conflict`."""
    counter: Any = connection.execute(SQL["mailbox_next"], (change.mailbox,)).fetchone()
    if counter is None:
        raise conflicts.mailbox_gone(change.mailbox)
    content = change.content
    if connection.execute(SQL["content_exists"], (content.id,)).get is None:
        raise conflicts.content_gone(content.id)
    uid, modseq = counter
    connection.execute(
        SQL["entry_file"],
        (
            change.mailbox,
            uid,
            modseq + 1,
            content.id,
            content.size,
            content.size,
            content.plain,
            change.received_at,
            *pack_keywords(frozenset(change.keywords)),
        ),
    )
    connection.execute(SQL["mailbox_grown"], (change.mailbox, 1))


def flagged(connection: Connection, change: Flagged) -> Iterator[int]:
    """Set and take away keywords; yield the uids of entries that changed. Raises `Conflict`."""
    counter: Any = connection.execute(SQL["mailbox_next"], (change.mailbox,)).fetchone()
    if counter is None:
        raise conflicts.mailbox_gone(change.mailbox)
    steps = steps_of(connection, change.mailbox)
    modseq = counter[1]
    for uid in dict.fromkeys(change.uids):
        found: Any = connection.execute(SQL["entry_flags"], (change.mailbox, uid)).fetchone()
        if found is None:
            continue
        entry, flags, others = found
        packed = pack_keywords(
            (unpack_keywords(flags, others) | set(change.add)) - set(change.remove)
        )
        if packed == (flags, others):
            continue
        modseq += 1
        connection.execute(SQL["entry_flag"], (entry, *packed, modseq))
        if steps is not None and connection.execute(SQL["email_known"], (entry,)).get:
            state = steps.next()
            connection.execute(SQL["email_flag"], (entry, *packed, state))
            connection.execute(SQL["email_mailbox_counted"], (change.mailbox, state))
        yield uid
    connection.execute(SQL["mailbox_left"], (change.mailbox, modseq - counter[1]))


def mailbox_changed(connection: Connection, change: MailboxChanged) -> None:
    """Rename it, or put it elsewhere. Raises `Conflict`."""
    found: Any = connection.execute(SQL["mailbox_get"], (change.mailbox,)).fetchone()
    if found is None:
        raise conflicts.mailbox_gone(change.mailbox)
    _, account, name, *_ = found
    if name != change.name:
        if connection.execute(SQL["mailbox_is_inbox"], (change.mailbox,)).get:
            raise conflicts.inbox_stays()
        if connection.execute(SQL["mailbox_named"], (account, change.name)).get is not None:
            raise conflicts.mailbox_exists(change.name)
    values = (change.mailbox, change.name, change.sort_order, change.subscribed)
    connection.execute(SQL["mailbox_change"], values)
    steps = steps_of(connection, change.mailbox)
    if steps is not None:
        connection.execute(SQL["email_mailbox_changed"], (change.mailbox, steps.next()))


def mailbox_removed(connection: Connection, change: MailboxRemoved) -> tuple[int, ...]:
    """Remove it, but for its entries, whose uids are returned. Raises `Conflict`."""
    mailbox = change.mailbox
    if connection.execute(SQL["mailbox_get"], (mailbox,)).get is None:
        raise conflicts.mailbox_gone(mailbox)
    if connection.execute(SQL["mailbox_is_inbox"], (mailbox,)).get:
        raise conflicts.inbox_stays()
    rows: Any = connection.execute(SQL["entry_uids"], (mailbox,)).fetchall()
    uids = tuple(uid for (uid,) in rows)
    if uids and not change.with_entries:
        raise conflicts.mailbox_not_empty(mailbox)
    expunge(connection, mailbox, uids)
    steps = steps_of(connection, mailbox)
    connection.execute(SQL["mailbox_delete"], (mailbox,))
    if steps is not None:
        made = connection.execute(SQL["email_mailbox_delete"], (mailbox,)).get
        state = steps.next()
        assert state is not None, "its mailbox was noticed"
        values = (steps.account, state, mailbox, made)
        connection.execute(SQL["email_mailbox_gone_insert"], values)
        steps.forget(state)
    return uids


def noticed(connection: Connection, change: Noticed) -> None:
    """Keep what was noticed. Raises `Conflict`."""
    account = change.account
    if connection.execute(SQL["account_get_by_id"], (account,)).get is None:
        raise conflicts.no_account(account)
    connection.execute(SQL["email_account_insert"], (account,))
    steps = Steps(connection, account)
    rows: Any = connection.execute(SQL["email_mailboxes_missing"], (account,)).fetchall()
    for (mailbox,) in rows:
        connection.execute(SQL["email_mailbox_insert"], (mailbox, account, steps.next()))
    for glance in change.glances:
        values = (glance.mailbox, glance.uid, account, glance.id)
        if connection.execute(SQL["email_may_be_noticed"], values).get:
            _glance(connection, steps, glance)
    for mailbox, uid in change.up_to:
        connection.execute(SQL["email_mailbox_noticed"], (mailbox, account, uid))


def _glance(connection: Connection, steps: Steps, glance: Glance) -> None:
    account, state, thread = steps.account, steps.next(), glance.thread
    for key in glance.keys:
        known = connection.execute(SQL["email_thread_get"], (account, key)).get
        if known is not None:
            thread = known
            break
    connection.execute(
        SQL["email_insert"],
        (
            glance.id,
            account,
            glance.mailbox,
            glance.uid,
            thread,
            state,
            glance.sent_at,
            glance.attachment,
            glance.author,
            glance.addressee,
            glance.subject,
            glance.summary,
        ),
    )
    for key in glance.keys:
        connection.execute(SQL["email_thread_insert"], (account, key, thread))
    words = glance.words
    connection.execute(
        SQL["email_words_insert"],
        (
            glance.id,
            f"a{account}",
            words.author,
            words.to,
            words.cc,
            words.bcc,
            words.subject,
            words.body,
        ),
    )
    connection.execute(SQL["email_mailbox_counted"], (glance.mailbox, state))


def identity_kept(connection: Connection, change: IdentityKept) -> None:
    """Keep an identity. Raises `Conflict`."""
    identity = change.identity
    if connection.execute(SQL["account_get_by_id"], (identity.account,)).get is None:
        raise conflicts.no_account(identity.account)
    data = msgspec.json.encode(identity).decode()
    connection.execute(SQL["identity_put"], (identity.account, identity.id, data))


def identity_removed(connection: Connection, change: IdentityRemoved) -> None:
    """Forget an identity."""
    connection.execute(SQL["identity_delete"], (change.account, change.identity))


def uploaded(connection: Connection, change: Uploaded) -> list[Any]:
    """Remember an upload; return the contents of those that are forgotten. Raises `Conflict`."""
    upload = change.upload
    if connection.execute(SQL["account_get_by_id"], (upload.account,)).get is None:
        raise conflicts.no_account(upload.account)
    if connection.execute(SQL["content_exists"], (upload.content.id,)).get is None:
        raise conflicts.content_gone(upload.content.id)
    values = (upload.content.id, upload.account, upload.content.size, upload.media_type, upload.at)
    connection.execute(SQL["upload_insert"], values)
    return connection.execute(SQL["upload_forget"], (change.keep_since,)).fetchall()


def submitted(connection: Connection, change: Submitted) -> None:
    """Remember a submission. Raises `Conflict`."""
    submission = change.submission
    account = submission.account
    if connection.execute(SQL["account_get_by_id"], (account,)).get is None:
        raise conflicts.no_account(account)
    data = msgspec.json.encode(submission).decode()
    connection.execute(SQL["submission_insert"], (account, submission.id, data))
    connection.execute(SQL["submission_forget"], (account, change.keep))


_TABLES = (
    "email",
    "email_account",
    "email_mailbox",
    "email_mailbox_gone",
    "email_gone",
    "email_thread",
    "identity",
    "submission",
)


def account_removed(connection: Connection, account: int) -> list[Any]:
    """Forget all of an account; return the contents of its uploads."""
    connection.execute(SQL["email_delete_words_of_account"], (account,))
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table} WHERE account = ?1", (account,))
    return connection.execute(SQL["upload_delete_account"], (account,)).fetchall()


def expunged(connection: Connection, change: Expunged) -> None:
    """Forget the emails of entries that are about to be removed."""
    expunge(connection, change.mailbox, change.uids)
