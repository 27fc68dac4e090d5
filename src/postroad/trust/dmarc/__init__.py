"""DMARC (RFC 9989, RFC 7489): is the author's domain proven, and if not, what does its owner ask for?

``await evaluate(resolver, author_of(header), [identifier_of_spf(spf), ...])`` gives a `DmarcCheck`.
"""

from postroad.trust.dmarc.author import Author, AuthorProblem, author_of, read_author
from postroad.trust.dmarc.discovery import DnsFailed, Explorer, Published
from postroad.trust.dmarc.evaluate import evaluate, identifier_of_spf
from postroad.trust.dmarc.record import (
    DmarcRecord,
    Policy,
    PublicSuffix,
    ReportUri,
    is_dmarc,
    read_dmarc_record,
)
from postroad.trust.dmarc.result import (
    Discovery,
    DmarcCheck,
    DmarcResult,
    DmarcSettings,
    DomainCheck,
    Identifier,
    Mechanism,
    Proof,
)
from postroad.trust.dmarc.suffixes import registered_domain

__all__ = [
    "Author",
    "AuthorProblem",
    "Discovery",
    "DmarcCheck",
    "DmarcRecord",
    "DmarcResult",
    "DmarcSettings",
    "DnsFailed",
    "DomainCheck",
    "Explorer",
    "Identifier",
    "Mechanism",
    "Policy",
    "Proof",
    "PublicSuffix",
    "Published",
    "ReportUri",
    "author_of",
    "evaluate",
    "identifier_of_spf",
    "is_dmarc",
    "read_author",
    "read_dmarc_record",
    "registered_domain",
]
