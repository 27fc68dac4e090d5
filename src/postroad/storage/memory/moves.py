"""Moves entries between mailboxes of the memory store."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from postroad.model import Moved
from postroad.storage import conflicts
from postroad.storage.memory.email_state import entry_moved

if TYPE_CHECKING:
    from postroad.storage.memory.apply import Application


def moved(do: "Application", change: Moved) -> None:
    """Move, and tell the journey of each message. Raises `Conflict`."""
    state = do.state
    if change.mailbox == change.into:
        raise conflicts.same_mailbox()
    for mailbox in (change.mailbox, change.into):
        if mailbox not in state.mailboxes:
            raise conflicts.mailbox_gone(mailbox)
    left, entered = state.mailboxes[change.mailbox], state.mailboxes[change.into]
    if left.mailbox.account != entered.mailbox.account:
        raise conflicts.other_account(change.into)
    for uid in change.uids:
        entry = state.entries[change.mailbox].get(uid)
        if entry is None:
            continue
        do.undo.delete(state.entries[change.mailbox], uid)
        modseq = entered.modseq + 1
        there = replace(entry, uid=entered.uid_next, modseq=modseq)
        do.undo.put(state.entries[change.into], there.uid, there)
        entry_moved(do, (change.mailbox, uid), (change.into, there.uid))
        entered = replace(entered, uid_next=there.uid + 1, modseq=modseq)
        left = replace(left, modseq=left.modseq + 1)
        message = entry.message if entry.message in state.messages else None
        do.note(replace(change, uids=(uid,)), message)
    do.undo.put(state.mailboxes, change.mailbox, left)
    do.undo.put(state.mailboxes, change.into, entered)
