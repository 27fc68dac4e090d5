"""Applies changes inside the writer's open transaction, and says why one was refused.

Nothing here commits or rolls back. Frequent changes come as `Rows`, which the engines write; where one
does not fit what is stored, `explain` finds the words later, when the item is alone in its savepoint.
"""

from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec.structs import replace

from postroad.model import (
    AccountRemoved,
    AnswerKept,
    Bounced,
    Change,
    Clicked,
    Complained,
    DomainsJudged,
    Dropped,
    Expunged,
    FiguresCounted,
    Filed,
    Flagged,
    Held,
    IdentityKept,
    IdentityRemoved,
    JunkLearned,
    Leased,
    LoggedIn,
    MailboxChanged,
    MailboxRemoved,
    Moved,
    Noticed,
    Opened,
    PutOff,
    Released,
    Retried,
    SourceSpent,
    Submitted,
    Suppressed,
    Unsubscribed,
    Unsuppressed,
    Uploaded,
    WebhookWorked,
    encode_changes,
)
from postroad.storage import conflicts
from postroad.storage.sql import (
    api_keys,
    junk,
    labels,
    owners,
    security,
    sessions,
    templates,
    webhooks,
)
from postroad.storage.sql import apply_directory as directory
from postroad.storage.sql import apply_emails as emails
from postroad.storage.sql import apply_logins as logins
from postroad.storage.sql import apply_moves as moves
from postroad.storage.sql.connection import Connection
from postroad.storage.sql.figures import write_counted
from postroad.storage.sql.sources import write_spent
from postroad.storage.sql.standing import write_judged
from postroad.storage.sql.statements import SQL
from postroad.storage.sql.suppression import (
    OfAMessage,
    is_known,
    write_suppressed,
    write_unsuppressed,
)

_KeyChange = TypeVar("_KeyChange", Held, Retried, Dropped)
_Key: TypeAlias = tuple[int, int]


def apply(connection: Connection, change: Change) -> None:
    """Apply one change that `rows` makes no rows of. Raises `Conflict` or the engine's own error."""
    _APPLY[type(change)](connection, change)


def write_journey(
    connection: Connection, change: Change, at: float, message: int | None = None
) -> None:
    """Append a change to the journey."""
    kind = change.__struct_config__.tag
    connection.execute(
        SQL["journey_insert"], (1, at, message, kind, encode_changes([change]).decode())
    )


# Deliveries.


def _leased(connection: Connection, change: Leased) -> None:
    rows = [(change.until, change.node, *key) for key in change.keys]
    connection.executemany(SQL["delivery_leased"], rows)


def _released(connection: Connection, change: Released) -> None:
    rows = [(change.due_at, *key) for key in change.keys]
    connection.executemany(SQL["delivery_released"], rows)


def _put_off(connection: Connection, change: PutOff) -> None:
    done: dict[int, list[_Key]] = {}
    last = msgspec.json.encode(change.reply).decode()
    for key in change.keys:
        connection.execute(SQL["delivery_put_off"], (change.due_at, last, *key))
        if connection.changes():
            done.setdefault(key[0], []).append(key)
    for message, keys in done.items():
        write_journey(connection, replace(change, keys=tuple(keys)), change.at, message)


def _held(connection: Connection, change: Held) -> None:
    _by_operator(connection, change, "delivery_held")


def _retried(connection: Connection, change: Retried) -> None:
    _by_operator(connection, change, "delivery_retried", change.due_at)


def _dropped(connection: Connection, change: Dropped) -> None:
    statement = "delivery_cancelled" if change.cancelled else "delivery_dropped"
    messages = _by_operator(connection, change, statement)
    connection.executemany(SQL["content_sweep_message"], [(message,) for message in messages])


def _by_operator(
    connection: Connection, change: _KeyChange, statement: str, at: float = 0.0
) -> list[int]:
    """Change what can be changed; the journey gets an event per message, of those keys alone."""
    done: dict[int, list[_Key]] = {}
    for message, ordinal in change.keys:
        connection.execute(SQL[statement], (at or change.at, message, ordinal))
        if connection.changes():
            done.setdefault(message, []).append((message, ordinal))
    for message, keys in done.items():
        part = replace(change, keys=tuple(keys))
        write_journey(connection, part, change.at, message)
    return list(done)


# Mailboxes and accounts.


def _expunged(connection: Connection, change: Expunged) -> None:
    emails.expunged(connection, change)
    contents = connection.executemany(
        SQL["entry_delete"], [(change.mailbox, uid) for uid in change.uids]
    ).fetchall()
    connection.execute(SQL["mailbox_shrunk"], (change.mailbox,))
    if not connection.changes():
        raise conflicts.mailbox_gone(change.mailbox)
    write_journey(connection, change, change.at)
    connection.executemany(SQL["content_sweep"], contents)


def _moved(connection: Connection, change: Moved) -> None:
    for message, part in moves.move(connection, change):
        write_journey(connection, part, change.at, message)


def _account_removed(connection: Connection, change: AccountRemoved) -> None:
    mailboxes = directory.account_removed(connection, change)
    junk.forget(connection, change.account)
    owners.account_removed(connection, change.account)
    uploads = emails.account_removed(connection, change.account)
    contents = [
        row
        for mailbox in mailboxes
        for row in connection.execute(SQL["entry_delete_mailbox"], (mailbox,))
    ] + uploads
    write_journey(connection, change, change.at)
    connection.executemany(SQL["content_sweep"], contents)


def _mailbox_removed(connection: Connection, change: MailboxRemoved) -> None:
    uids = emails.mailbox_removed(connection, change)
    rows = [(change.mailbox, uid) for uid in uids]
    contents = connection.executemany(SQL["entry_delete"], rows).fetchall()
    write_journey(connection, change, change.at)
    connection.executemany(SQL["content_sweep"], contents)


def _flagged(connection: Connection, change: Flagged) -> None:
    uids = tuple(emails.flagged(connection, change))
    if uids:
        write_journey(connection, replace(change, uids=uids), change.at)


def _uploaded(connection: Connection, change: Uploaded) -> None:
    forgotten = emails.uploaded(connection, change)
    connection.executemany(SQL["content_sweep"], forgotten)


def _emails(connection: Connection, change: Any) -> None:
    _EMAILS[type(change)](connection, change)
    write_journey(connection, change, change.at)


_EMAILS: dict[type, Any] = {
    Filed: emails.filed,
    MailboxChanged: emails.mailbox_changed,
    IdentityKept: emails.identity_kept,
    IdentityRemoved: emails.identity_removed,
    Submitted: emails.submitted,
}


def _came_back(connection: Connection, change: OfAMessage) -> None:
    if is_known(connection, change):
        write_journey(connection, change, change.at, change.message)


def _suppressed(connection: Connection, change: Suppressed) -> None:
    written = write_suppressed(connection, change)
    if written is not None:
        write_journey(connection, written, written.at)


def _unsuppressed(connection: Connection, change: Unsuppressed) -> None:
    written = write_unsuppressed(connection, change)
    if written is not None:
        write_journey(connection, written, written.at)


def _directory(connection: Connection, change: Any) -> None:
    try:
        _DIRECTORY[type(change)](connection, change)
    except directory.Unchanged:
        return
    write_journey(connection, change, change.at)


_DIRECTORY: dict[type, Any] = {
    **directory.APPLY,
    **api_keys.APPLY,
    **owners.APPLY,
    **templates.APPLY,
    **webhooks.APPLY,
}

_APPLY: dict[type, Any] = {
    Leased: _leased,
    Released: _released,
    PutOff: _put_off,
    SourceSpent: write_spent,
    FiguresCounted: write_counted,
    Held: _held,
    Retried: _retried,
    AnswerKept: labels.keep,
    WebhookWorked: webhooks.write_worked,
    Dropped: _dropped,
    Expunged: _expunged,
    Moved: _moved,
    Flagged: _flagged,
    MailboxRemoved: _mailbox_removed,
    Noticed: emails.noticed,
    Uploaded: _uploaded,
    AccountRemoved: _account_removed,
    LoggedIn: logins.write,
    DomainsJudged: write_judged,
    JunkLearned: junk.learn,
    Bounced: _came_back,
    Complained: _came_back,
    Opened: _came_back,
    Clicked: _came_back,
    Unsubscribed: _came_back,
    Suppressed: _suppressed,
    Unsuppressed: _unsuppressed,
    **dict.fromkeys(_DIRECTORY, _directory),
    **dict.fromkeys(_EMAILS, _emails),
    **sessions.APPLY,  # these hold secrets
    **security.APPLY,  # what can be fetched or counted anew is not in the journey
}
