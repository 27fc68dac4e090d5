"""Mailboxes: what arrives is deposited, what is there is read and deleted.

Import from here: ``from postroad.mailbox import LocalDeliverer, Maildrop``.
"""

from postroad.mailbox.deposit import LocalDeliverer
from postroad.mailbox.maildrop import (
    EntryGone,
    MailboxGone,
    MailboxInUse,
    Maildrop,
    ReadAhead,
)

__all__ = [
    "EntryGone",
    "LocalDeliverer",
    "MailboxGone",
    "MailboxInUse",
    "Maildrop",
    "ReadAhead",
]
