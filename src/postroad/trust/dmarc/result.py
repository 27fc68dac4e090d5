"""What a DMARC evaluation is made of and comes to."""

from enum import Enum

from msgspec import Struct

from postroad.trust.dmarc.author import Author
from postroad.trust.dmarc.record import DmarcRecord, Policy


class DmarcResult(Enum):
    """The results of RFC 7489 §11.2. `NONE`: no domain of the author has a policy."""

    NONE = "none"
    PASS = "pass"
    FAIL = "fail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class Mechanism(Enum):
    """What authenticates an identifier (RFC 9989 §4.3)."""

    SPF = "spf"
    DKIM = "dkim"


class Proof(Enum):
    """What the mechanism found. `UNKNOWN`: the DNS did not answer, it may be either."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Discovery(Enum):
    """How organisational domains are found: RFC 9989 §4.10, or with a list as in RFC 7489 §3.2."""

    TREE_WALK = "treewalk"
    SUFFIX_LIST = "psl"


class Identifier(Struct, frozen=True):
    """A domain that SPF (MAIL FROM) or a DKIM signature (``d=``) speaks for; `detail`: its selector."""

    mechanism: Mechanism
    domain: str
    proof: Proof
    detail: str = ""


class DmarcSettings(Struct, frozen=True):
    """`malformed` is what is done with a From that has no domains that can be relied on, whatever they
    publish. `honour_pct`: the share of RFC 7489, which RFC 9989 has dropped, still counts.
    """

    discovery: Discovery = Discovery.TREE_WALK
    malformed: Policy = Policy.REJECT
    honour_pct: bool = True


class DomainCheck(Struct, frozen=True):
    """The evaluation for one domain of the author.

    `policy` is what is to be done with the message, after `t` and `pct` (`lowered_by` names it);
    `published` is what the record says, in its tag `tag` (p, sp or np). `policy_domain` is where the
    record was found; `organizational_domain` is empty where nothing needed it. `aligned` are the
    identifiers that authenticate the domain.
    """

    domain: str
    result: DmarcResult
    policy: Policy = Policy.NONE
    published: Policy = Policy.NONE
    tag: str = ""
    lowered_by: str = ""
    policy_domain: str = ""
    organizational_domain: str = ""
    record: DmarcRecord | None = None
    aligned: tuple[Identifier, ...] = ()
    reasons: tuple[str, ...] = ()

    def aligned_by(self, mechanism: Mechanism) -> bool:
        """Whether an aligned identifier came by this mechanism."""
        return any(each.mechanism is mechanism for each in self.aligned)


class DmarcCheck(Struct, frozen=True):
    """The evaluation of a message. It passes only where every domain of the author does.

    `policy` is the strictest of those that apply, and NONE unless `result` is FAIL or PERMERROR. With
    TEMPERROR nothing is known: the caller defers or lets it be. `reasons` are in an operator's words.
    """

    author: Author
    result: DmarcResult
    policy: Policy
    domains: tuple[DomainCheck, ...] = ()
    reasons: tuple[str, ...] = ()
