"""What an SPF check comes to, and the limits it is made under."""

from enum import Enum

from msgspec import Struct


class SpfResult(Enum):
    """The results of RFC 7208 §2.6."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class Identity(Enum):
    """Which identity was checked (RFC 7208 §2.3, §2.4)."""

    MAIL_FROM = "mailfrom"
    HELO = "helo"


class SpfLimits(Struct, frozen=True):
    """RFC 7208 §4.6.4: terms that ask the DNS, terms that ask in vain, MX and PTR names per term."""

    terms: int = 10
    voids: int = 2
    names: int = 10


class SpfStep(Struct, frozen=True):
    """One line of an explained check. `depth` is how many includes and redirects led to `domain`."""

    depth: int
    domain: str
    text: str

    def __str__(self) -> str:
        return f"{'  ' * self.depth}{self.domain}: {self.text}"


class SpfCheck(Struct, frozen=True):
    """An SPF check.

    `domain` is the domain that was checked and that a pass authenticates; `sender` is the address that
    macros saw, with postmaster where there was none. `term` is the term that decided
    (``"include:_spf.example.net"``), empty where none did. `reason` is in an operator's words.
    `explanation` is what the domain's owner says to those who fail (RFC 7208 §6.2): text of a stranger,
    printable ASCII, at most 512 octets. `terms` and `voids` count against `SpfLimits`; `steps` are there
    only if they were asked for.
    """

    result: SpfResult
    identity: Identity
    domain: str
    sender: str
    helo: str
    ip: str
    reason: str
    term: str = ""
    explanation: str = ""
    terms: int = 0
    voids: int = 0
    steps: tuple[SpfStep, ...] = ()
