"""What a check decided about a message, as its journey keeps it."""

from enum import Enum

from msgspec import Struct


class RulingKind(Enum):
    """The kinds of verdicts."""

    ACCEPT = "accept"
    QUARANTINE = "quarantine"
    DEFER = "defer"
    REJECT = "reject"


class Ruling(Struct, frozen=True, omit_defaults=True):
    """One check's verdict and why, at what time (seconds since 1970) and after how long.

    `dry_run`: the verdict was only noted, the message went on as if it had been accepted.
    """

    check: str
    kind: RulingKind
    reason: str
    at: float
    seconds: float
    dry_run: bool = False
