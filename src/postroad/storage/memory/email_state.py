"""What the memory store remembers of emails, and how changes of mail alter it; see `storage.sqlite`'s
``apply_emails`` for the same on tables.
"""

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from postroad.model import (
    Filed,
    Flagged,
    Glance,
    Identity,
    IdentityKept,
    IdentityRemoved,
    MailboxChanged,
    MailboxRemoved,
    Noticed,
    Submission,
    Submitted,
    Upload,
    Uploaded,
    Words,
)
from postroad.ports import KEEP_STATES, Box, BoxGone, EmailChange, Entry
from postroad.storage import conflicts

if TYPE_CHECKING:
    from postroad.storage.memory.apply import Application


class StoredEmail(Struct, frozen=True):
    """An email with what is sorted and searched by."""

    id: int
    account: int
    mailbox: int
    uid: int
    thread: int
    created: int
    changed: int
    received_at: float
    sent_at: float
    size: int
    keywords: frozenset[str]
    attachment: bool
    author: str
    addressee: str
    subject: str
    summary: str
    words: Words


class StoredBox(Struct, frozen=True):
    """What was noticed of a mailbox."""

    account: int
    made: int
    changed: int
    counted: int
    noticed_uid: int = 1


class EmailTables:
    """By key, as in the other stores. `places` has the order of mailboxes and whether they are shown,
    where that was ever said.
    """

    def __init__(self) -> None:
        self.keywords: dict[tuple[int, int], frozenset[str]] = {}
        self.places: dict[int, tuple[int, bool]] = {}
        self.states: dict[int, int] = {}
        self.boxes: dict[int, StoredBox] = {}
        self.boxes_gone: dict[tuple[int, int], BoxGone] = {}
        self.emails: dict[int, StoredEmail] = {}
        self.of_entry: dict[tuple[int, int], int] = {}
        self.gone: dict[tuple[int, int], EmailChange] = {}
        self.threads: dict[tuple[int, int], int] = {}
        self.identities: dict[tuple[int, int], Identity] = {}
        self.uploads: dict[int, Upload] = {}
        self.submissions: dict[tuple[int, int], Submission] = {}

    def box(self, mailbox: int, name: str) -> Box:
        """Return a mailbox that was noticed."""
        known = self.boxes[mailbox]
        order, subscribed = self.places.get(mailbox, (0, True))
        return Box(mailbox, name, order, subscribed, known.made, known.changed, known.counted)


def _step(do: "Application", account: int) -> int:
    tables = do.state.emails
    state = tables.states[account] + 1
    do.undo.put(tables.states, account, state)
    return state


def _counted(do: "Application", mailbox: int, state: int) -> None:
    boxes = do.state.emails.boxes
    if mailbox in boxes:
        do.undo.put(boxes, mailbox, replace(boxes[mailbox], counted=state))


def _forget(do: "Application", account: int) -> None:
    tables = do.state.emails
    last = tables.states[account] - KEEP_STATES
    for table in (tables.gone, tables.boxes_gone):
        for key in [key for key in table if key[0] == account and key[1] <= last]:
            do.undo.delete(table, key)


def entry_moved(do: "Application", left: tuple[int, int], entered: tuple[int, int]) -> None:
    """The entry that was `left` is `entered` now; both are mailbox and uid."""
    tables = do.state.emails
    if left in tables.keywords:
        do.undo.put(tables.keywords, entered, tables.keywords[left])
        do.undo.delete(tables.keywords, left)
    email = tables.of_entry.get(left)
    if email is None:
        return
    do.undo.delete(tables.of_entry, left)
    do.undo.put(tables.of_entry, entered, email)
    known = tables.emails[email]
    state = _step(do, known.account)
    there = replace(known, mailbox=entered[0], uid=entered[1], changed=state)
    do.undo.put(tables.emails, email, there)
    _counted(do, left[0], state)
    _counted(do, entered[0], state)


def entry_gone(do: "Application", mailbox: int, uid: int) -> None:
    """An entry was removed."""
    tables = do.state.emails
    do.undo.delete(tables.keywords, (mailbox, uid))
    email = tables.of_entry.get((mailbox, uid))
    if email is None:
        return
    do.undo.delete(tables.of_entry, (mailbox, uid))
    known = tables.emails[email]
    account = known.account
    state = _step(do, account)
    do.undo.delete(tables.emails, email)
    if not any(
        (each.account, each.thread) == (account, known.thread) for each in tables.emails.values()
    ):
        for key in [k for k, t in tables.threads.items() if (k[0], t) == (account, known.thread)]:
            do.undo.delete(tables.threads, key)
    gone = EmailChange(email, known.thread, known.created, state, True)
    do.undo.put(tables.gone, (account, state), gone)
    _counted(do, mailbox, state)
    _forget(do, account)


def filed(do: "Application", change: Filed) -> None:
    """Put an entry into a mailbox. Raises `Conflict`."""
    state, content = do.state, change.content
    stored = state.mailboxes.get(change.mailbox)
    if stored is None:
        raise conflicts.mailbox_gone(change.mailbox)
    if content.id not in state.contents:
        raise conflicts.content_gone(content.id)
    uid, modseq = stored.uid_next, stored.modseq + 1
    entry = Entry(uid, b"", content, content.size, 0, change.received_at, modseq)
    do.undo.put(state.entries[change.mailbox], uid, entry)
    do.undo.put(state.emails.keywords, (change.mailbox, uid), frozenset(change.keywords))
    grown = replace(stored, uid_next=uid + 1, modseq=modseq)
    do.undo.put(state.mailboxes, change.mailbox, grown)
    do.note(change)


def flagged(do: "Application", change: Flagged) -> None:
    """Set and take away keywords. Raises `Conflict`."""
    state, mailbox = do.state, change.mailbox
    tables, stored = state.emails, state.mailboxes.get(mailbox)
    if stored is None:
        raise conflicts.mailbox_gone(mailbox)
    done = []
    for uid in dict.fromkeys(change.uids):
        entry = state.entries[mailbox].get(uid)
        if entry is None:
            continue
        before = tables.keywords.get((mailbox, uid), frozenset())
        after = (before | set(change.add)) - set(change.remove)
        if before == after:
            continue
        stored = replace(stored, modseq=stored.modseq + 1)
        do.undo.put(state.entries[mailbox], uid, replace(entry, modseq=stored.modseq))
        do.undo.put(tables.keywords, (mailbox, uid), after)
        email = tables.of_entry.get((mailbox, uid))
        if email is not None:
            known = tables.emails[email]
            step = _step(do, known.account)
            do.undo.put(tables.emails, email, replace(known, keywords=after, changed=step))
            _counted(do, mailbox, step)
        done.append(uid)
    do.undo.put(state.mailboxes, mailbox, stored)
    if done:
        do.note(replace(change, uids=tuple(done)))


def mailbox_changed(do: "Application", change: MailboxChanged) -> None:
    """Rename it, or put it elsewhere. Raises `Conflict`."""
    state, number = do.state, change.mailbox
    stored = state.mailboxes.get(number)
    if stored is None:
        raise conflicts.mailbox_gone(number)
    mailbox = stored.mailbox
    if mailbox.name != change.name:
        if any(account.inbox == number for account in state.accounts.values()):
            raise conflicts.inbox_stays()
        named = (mailbox.account, change.name)
        if any((o.mailbox.account, o.mailbox.name) == named for o in state.mailboxes.values()):
            raise conflicts.mailbox_exists(change.name)
        renamed = replace(stored, mailbox=replace(mailbox, name=change.name))
        do.undo.put(state.mailboxes, number, renamed)
    do.undo.put(state.emails.places, number, (change.sort_order, change.subscribed))
    box = state.emails.boxes.get(number)
    if box is not None:
        changed = _step(do, box.account)
        do.undo.put(state.emails.boxes, number, replace(box, changed=changed))
    do.note(change)


def mailbox_removed(do: "Application", change: MailboxRemoved) -> None:
    """Remove it, with its entries where that is asked for. Raises `Conflict`."""
    state, number = do.state, change.mailbox
    if number not in state.mailboxes:
        raise conflicts.mailbox_gone(number)
    if any(account.inbox == number for account in state.accounts.values()):
        raise conflicts.inbox_stays()
    entries = state.entries[number]
    if entries and not change.with_entries:
        raise conflicts.mailbox_not_empty(number)
    for uid in sorted(entries):
        do.sweep_later(entries[uid].content.id)
        entry_gone(do, number, uid)
    do.undo.delete(state.mailboxes, number)
    do.undo.delete(state.entries, number)
    do.undo.delete(state.emails.places, number)
    box = state.emails.boxes.get(number)
    if box is not None:
        do.undo.delete(state.emails.boxes, number)
        step = _step(do, box.account)
        gone = BoxGone(number, box.made, step)
        do.undo.put(state.emails.boxes_gone, (box.account, step), gone)
        _forget(do, box.account)
    do.note(change)


def noticed(do: "Application", change: Noticed) -> None:
    """Keep what was noticed. Raises `Conflict`."""
    state, account = do.state, change.account
    tables = state.emails
    if account not in state.accounts:
        raise conflicts.no_account(account)
    if account not in tables.states:
        do.undo.put(tables.states, account, 0)
    for number, stored in sorted(state.mailboxes.items()):
        if stored.mailbox.account == account and number not in tables.boxes:
            step = _step(do, account)
            do.undo.put(tables.boxes, number, StoredBox(account, step, step, step))
    for glance in change.glances:
        _glance(do, account, glance)
    for mailbox, uid in change.up_to:
        box = tables.boxes.get(mailbox)
        if box is not None and box.account == account:
            known = replace(box, noticed_uid=max(uid, box.noticed_uid))
            do.undo.put(tables.boxes, mailbox, known)


def _glance(do: "Application", account: int, glance: Glance) -> None:
    state, tables, place = do.state, do.state.emails, (glance.mailbox, glance.uid)
    box = tables.boxes.get(glance.mailbox)
    if box is None or box.account != account or glance.id in tables.emails:
        return
    entry = state.entries[glance.mailbox].get(glance.uid)
    if entry is None or place in tables.of_entry:
        return
    step, thread = _step(do, account), glance.thread
    for key in glance.keys:
        if (account, key) in tables.threads:
            thread = tables.threads[account, key]
            break
    email = StoredEmail(
        id=glance.id,
        account=account,
        mailbox=glance.mailbox,
        uid=glance.uid,
        thread=thread,
        created=step,
        changed=step,
        received_at=entry.deposited_at,
        sent_at=entry.deposited_at if glance.sent_at is None else glance.sent_at,
        size=entry.size,
        keywords=tables.keywords.get(place, frozenset()),
        attachment=glance.attachment,
        author=glance.author,
        addressee=glance.addressee,
        subject=glance.subject,
        summary=glance.summary,
        words=glance.words,
    )
    do.undo.put(tables.emails, glance.id, email)
    do.undo.put(tables.of_entry, place, glance.id)
    for key in glance.keys:
        if (account, key) not in tables.threads:
            do.undo.put(tables.threads, (account, key), thread)
    _counted(do, glance.mailbox, step)


def identity_kept(do: "Application", change: IdentityKept) -> None:
    """Keep an identity. Raises `Conflict`."""
    identity = change.identity
    if identity.account not in do.state.accounts:
        raise conflicts.no_account(identity.account)
    do.undo.put(do.state.emails.identities, (identity.account, identity.id), identity)
    do.note(change)


def identity_removed(do: "Application", change: IdentityRemoved) -> None:
    """Forget an identity."""
    do.undo.delete(do.state.emails.identities, (change.account, change.identity))
    do.note(change)


def uploaded(do: "Application", change: Uploaded) -> None:
    """Remember an upload, and forget old ones. Raises `Conflict`."""
    upload, uploads = change.upload, do.state.emails.uploads
    if upload.account not in do.state.accounts:
        raise conflicts.no_account(upload.account)
    if upload.content.id not in do.state.contents:
        raise conflicts.content_gone(upload.content.id)
    if upload.content.id in uploads:
        raise conflicts.given_twice()
    do.undo.put(uploads, upload.content.id, upload)
    for number in [n for n, each in uploads.items() if each.at < change.keep_since]:
        do.undo.delete(uploads, number)
        do.sweep_later(number)


def submitted(do: "Application", change: Submitted) -> None:
    """Remember a submission. Raises `Conflict`."""
    submission, known = change.submission, do.state.emails.submissions
    account = submission.account
    if account not in do.state.accounts:
        raise conflicts.no_account(account)
    if (account, submission.id) not in known:
        do.undo.put(known, (account, submission.id), submission)
    ids = sorted((number for owner, number in known if owner == account), reverse=True)
    for number in ids[change.keep :]:
        do.undo.delete(known, (account, number))
    do.note(change)


def account_removed(do: "Application", account: int) -> None:
    """Forget all of an account, before its mailboxes are."""
    tables = do.state.emails
    for table in (
        tables.boxes_gone,
        tables.gone,
        tables.threads,
        tables.identities,
        tables.submissions,
    ):
        for key in [key for key in table if key[0] == account]:
            do.undo.delete(table, key)
    for email in [each for each in tables.emails.values() if each.account == account]:
        do.undo.delete(tables.emails, email.id)
        do.undo.delete(tables.of_entry, (email.mailbox, email.uid))
    for number in [n for n, box in tables.boxes.items() if box.account == account]:
        do.undo.delete(tables.boxes, number)
    for number in [n for n, each in tables.uploads.items() if each.account == account]:
        do.undo.delete(tables.uploads, number)
        do.sweep_later(number)
    do.undo.delete(tables.states, account)
    mailboxes = [n for n, stored in do.state.mailboxes.items() if stored.mailbox.account == account]
    for number in mailboxes:
        do.undo.delete(tables.places, number)
        for key in [key for key in tables.keywords if key[0] == number]:
            do.undo.delete(tables.keywords, key)


APPLY: dict[type, Any] = {
    Filed: filed,
    Flagged: flagged,
    MailboxChanged: mailbox_changed,
    MailboxRemoved: mailbox_removed,
    Noticed: noticed,
    IdentityKept: identity_kept,
    IdentityRemoved: identity_removed,
    Uploaded: uploaded,
    Submitted: submitted,
}
