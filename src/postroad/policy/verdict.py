"""What a check decides.

Each verdict may have a reason, in an operator's words: the journey of the message keeps it. `headers`
are put on top of the message. `fact` is whatever a later check may want to know (`fact` of a stage finds
it by its type); it is not stored. Where a check refuses and this is not done (`policy.dry_run`), its
fact is there all the same.
"""

from typing import TypeAlias

from msgspec import Struct

from postroad.message.newfield import NewField
from postroad.model import Reply


class Accept(Struct, frozen=True):
    """Go on."""

    reason: str = ""
    headers: tuple[NewField, ...] = ()
    fact: object = None


class Quarantine(Struct, frozen=True):
    """Take it, but into the mailbox ``Junk`` of whoever gets it here; the client hears nothing of it.

    Said of a recipient (`RcptTo`), it holds for that one. What an alias leads to other places stays
    here, or is refused (`forwarding.quarantined`). The verdict itself is a fact, too: a later check
    sees that somebody suspects the message.
    """

    reason: str
    headers: tuple[NewField, ...] = ()
    fact: object = None


class Defer(Struct, frozen=True):
    """Not now: the client gets this 4xx reply. Raises `ValueError` for any other."""

    reply: Reply
    reason: str = ""
    fact: object = None

    def __post_init__(self) -> None:
        if self.reply.code // 100 != 4:
            raise ValueError(f"{self.reply} defers nothing: a 4xx reply is wanted")


class Reject(Struct, frozen=True):
    """Never: the client gets this 5xx reply. Raises `ValueError` for any other."""

    reply: Reply
    reason: str = ""
    fact: object = None

    def __post_init__(self) -> None:
        if self.reply.code // 100 != 5:
            raise ValueError(f"{self.reply} rejects nothing: a 5xx reply is wanted")


Verdict: TypeAlias = Accept | Quarantine | Defer | Reject

ACCEPT = Accept()
