"""Mailboxes beside the INBOX: found by name, made with the first message that goes there.

The making is a change in the group of the deposit. Until it is committed, others of this process that
want the same mailbox propose the same id, so that it does not matter whose commit comes first. Where
another process was quicker, the commit fails, and the next attempt finds what that process made.
"""

from postroad.model import Mailbox, MailboxAdded, uid_validity
from postroad.ports import Clock, Entropy, MailboxStore

REMEMBER_MAX = 1000


class Folders:
    """Finds and makes them."""

    def __init__(self, mailboxes: MailboxStore, clock: Clock, entropy: Entropy) -> None:
        self._mailboxes = mailboxes
        self._clock = clock
        self._entropy = entropy
        self._proposed: dict[tuple[int, str], Mailbox] = {}

    async def place(self, inbox: int, name: str, made: list[MailboxAdded]) -> int:
        """Return the mailbox of that name beside an INBOX; where it has to be made, that goes to `made`.

        Raises `StorageError`. An INBOX that is gone is returned itself: the deposit then fails.
        """
        found = await self._mailboxes.mailbox(inbox)
        if found is None:
            return inbox
        folder = await self._mailboxes.named(found.account, name)
        if folder is not None:
            self._proposed.pop((found.account, name), None)
            return folder.id
        key = (found.account, name)
        proposed = self._proposed.get(key)
        now = self._clock.now()
        if proposed is None:
            if len(self._proposed) >= REMEMBER_MAX:
                self._proposed.clear()
            proposed = Mailbox(self._entropy.id(), found.account, name, uid_validity(now))
            self._proposed[key] = proposed
        if all(each.mailbox is not proposed for each in made):
            made.append(MailboxAdded(now, proposed))
        return proposed.id
