"""The DNS, as questions."""

from enum import Enum
from typing import Protocol

from msgspec import Struct


class AnswerStatus(Enum):
    """What came of a look-up."""

    FOUND = "found"
    NO_DATA = "no data"  # the name exists without records of that type
    NO_NAME = "no such name"  # NXDOMAIN
    FAILED = "failed"  # SERVFAIL, REFUSED, time-out, nonsense: nothing is known


class Answer(Struct, frozen=True):
    """The answer to one question. CNAMEs were followed; `canonical` is where they led.

    `records` are in presentation form without trailing dots in host names: ``"10 mx.example.org"`` for
    MX, ``"192.0.2.1"`` for A; TXT strings are joined. `ttl` is in seconds, also for negative answers
    (RFC 2308). `authenticated` is the AD bit, only from a resolver that is trusted to validate.
    `detail` says why it failed.
    """

    name: str
    rdtype: str
    status: AnswerStatus
    records: tuple[str, ...] = ()
    ttl: float = 0.0
    canonical: str = ""
    authenticated: bool = False
    detail: str = ""


class Resolver(Protocol):
    """Asks the DNS. Never raises for what the DNS says: that is in the answer."""

    async def lookup(self, name: str, rdtype: str) -> Answer:
        """Ask for the records of `rdtype` (``"MX"``, ``"A"``, ``"AAAA"``, ``"TXT"``, ``"PTR"`` …)."""
        ...
