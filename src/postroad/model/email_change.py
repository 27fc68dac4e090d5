"""Durable changes of mailboxes that their owners make, see `model.change`.

`at` is seconds since 1970 in each.
"""

from msgspec import Struct

from postroad.model.email import Glance, Identity, Submission, Upload
from postroad.model.message import ContentRef


class Filed(Struct, frozen=True, tag="filed", omit_defaults=True):
    """An account's owner put a message into a mailbox: a draft, or one that was brought along. It is its
    own content, which comes with the group. `received_at` is what it says of when it came.
    """

    at: float
    mailbox: int
    content: ContentRef
    received_at: float
    keywords: tuple[str, ...] = ()


class Flagged(Struct, frozen=True, tag="flagged", omit_defaults=True):
    """Keywords (`parse_keyword`) of entries were set and taken away; those that are not there any more
    are passed over. Each that is gets a modseq.
    """

    at: float
    mailbox: int
    uids: tuple[int, ...]
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class MailboxChanged(Struct, frozen=True, tag="mailbox_changed"):
    """A mailbox got another name, another place in the list, or is shown or not."""

    at: float
    mailbox: int
    name: str
    sort_order: int
    subscribed: bool


class MailboxRemoved(Struct, frozen=True, tag="mailbox_removed"):
    """A mailbox other than the INBOX was removed, with its entries where `with_entries`, else only if
    there are none.
    """

    at: float
    mailbox: int
    with_entries: bool


class Noticed(Struct, frozen=True, tag="noticed"):
    """What is in an account's mailboxes was looked at: `glances` at entries that were not known yet;
    those that are gone or known by now are passed over. Of each mailbox of `up_to`, all entries with
    uids lower than that are known then. Not in the journey: it can be seen again.
    """

    at: float
    account: int
    glances: tuple[Glance, ...]
    up_to: tuple[tuple[int, int], ...]


class IdentityKept(Struct, frozen=True, tag="identity_kept"):
    """An account got an identity, or it was changed."""

    at: float
    identity: Identity


class IdentityRemoved(Struct, frozen=True, tag="identity_removed"):
    """An account has an identity no longer."""

    at: float
    account: int
    identity: int


class Uploaded(Struct, frozen=True, tag="uploaded"):
    """An account put bytes here. Of all accounts, what was uploaded before `keep_since` is forgotten.
    Not in the journey.
    """

    at: float
    upload: Upload
    keep_since: float


class Submitted(Struct, frozen=True, tag="submitted"):
    """An account sent an email. Of its submissions, the `keep` newest are remembered."""

    at: float
    submission: Submission
    keep: int
