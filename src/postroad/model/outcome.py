"""What an attempt came to, per recipient."""

from typing import TypeAlias

from msgspec import Struct

from postroad.model.reply import Reply


class Delivered(Struct, frozen=True, tag="delivered"):
    """The next server, or the mailbox, took responsibility."""

    reply: Reply


class TemporaryFailure(Struct, frozen=True, tag="temporary"):
    """Not now; to be tried again by the schedule."""

    reply: Reply


class PermanentFailure(Struct, frozen=True, tag="permanent"):
    """Never; to be returned to the sender by a DSN."""

    reply: Reply


class Unknown(Struct, frozen=True, tag="unknown"):
    """The connection died after the final dot and before the reply: it may have been delivered.

    SMTP cannot tell (RFC 1047); the stream's policy decides between another try and a hold.
    """

    reply: Reply


Outcome: TypeAlias = Delivered | TemporaryFailure | PermanentFailure | Unknown


def outcome_of(reply: Reply) -> Outcome:
    """Return what a server's final reply means for the recipient: 2xx, 4xx or 5xx."""
    if reply.positive:
        return Delivered(reply)
    if reply.permanent:
        return PermanentFailure(reply)
    return TemporaryFailure(reply)
