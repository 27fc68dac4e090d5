"""Addresses to which nothing of a stream is sent any more, and why."""

from enum import Enum

from msgspec import Struct

from postroad.model.address import Address

MAX_EVIDENCE = 500


class SuppressionReason(Enum):
    """Why an address is on the list."""

    HARD_BOUNCE = "hard-bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"


class Suppression(Struct, frozen=True):
    """Nothing of `stream` is sent to `address`. `evidence` tells what led to it,
    in at most `MAX_EVIDENCE` letters: a reply, a message's id, an operator's words. `since` is in
    seconds since 1970.

    One address is on the list of a stream once; local parts are compared without case.
    """

    address: Address
    stream: str
    reason: SuppressionReason
    evidence: str = ""
    since: float = 0.0
