"""Who really sent a message, and how it came here, in words for people.

Only what this server itself found when it took the message counts; what the message says of itself, and
what others wrote into it, proves nothing.
"""

from collections.abc import Sequence
from enum import Enum

from msgspec import Struct

from postroad.model import Origin, ServerKind
from postroad.trust.results import Finding


class TrustLevel(Enum):
    """How sure it is that a message is from whom it says."""

    OWN = "own"  # written by somebody who logged in here
    PROVEN = "proven"  # the author's domain vouches for it
    PARTLY = "partly"  # another domain vouches for it, or only for the way it came
    UNPROVEN = "unproven"  # nobody does
    SUSPECT = "suspect"  # the author's domain says that it is not from there
    UNKNOWN = "unknown"  # it did not come by this server


class Proof(Struct, frozen=True):
    """What one method found: ``spf``, ``dkim``, ``dmarc`` or ``arc``; its result, for which domain, and
    in words.
    """

    method: str
    result: str
    domain: str
    words: str


class Trust(Struct, frozen=True):
    """`title` in a few words, `words` in a sentence or two; `domain` is who vouches, ``""`` for nobody.
    `encrypted` tells of the last link, to us, None where there was none; `link` is that in words.
    """

    level: TrustLevel
    title: str
    words: str
    domain: str
    proofs: tuple[Proof, ...]
    encrypted: bool | None
    link: str


UNKNOWN = Trust(
    TrustLevel.UNKNOWN,
    "Origin unknown",
    "This message did not come by mail to this server; it was put here, so nothing is known of its way.",
    "",
    (),
    None,
    "",
)

_PASSED = {
    "spf": "the server that brought it may send for {domain}",
    "dkim": "signed by {domain}, and not changed since",
    "dmarc": "{domain}, the author's domain, vouches for it",
    "arc": "{domain} passed it on and vouches for what it saw",
}
_FAILED = {
    "spf": "the server that brought it may not send for {domain}",
    "dkim": "a signature of {domain} does not fit: changed on its way, or forged",
    "dmarc": "{domain}, the author's domain, does not vouch for it",
    "arc": "the chain of those who passed it on is broken",
}
_OPEN = {
    "spf": "{domain} does not say who may send for it",
    "dkim": "not signed",
    "dmarc": "{domain} says nothing of what is from there",
    "arc": "nobody vouches for having passed it on",
}
_DOMAINS = {
    "spf": (("smtp", "mailfrom"), ("smtp", "helo")),
    "dkim": (("header", "d"),),
    "dmarc": (("header", "from"),),
    "arc": (("header", "d"),),
}


def trust_of(origin: Origin, findings: Sequence[Finding], author: str) -> Trust:
    """Return who a message is from. `author` is the domain of its From, ``""`` where there is none."""
    encrypted, link = _link(origin)
    if origin.server is ServerKind.DSN:
        words = "A report that this server made itself."
        return Trust(TrustLevel.OWN, "From this server", words, author, (), None, link)
    if origin.account is not None or origin.server in (ServerKind.LOCAL, ServerKind.API):
        who = origin.account or "a program of this server"
        words = f"Written here by {who}, who proved it by logging in."
        if origin.account is None:
            words = f"Sent by {who}, which has a key."
        return Trust(TrustLevel.OWN, "From here", words, author, (), encrypted, link)
    proofs = tuple(proof for each in findings if (proof := _proof(each)) is not None)
    level, title, words, domain = _judge(proofs, author)
    return Trust(level, title, words, domain, proofs, encrypted, link)


def _judge(proofs: Sequence[Proof], author: str) -> tuple[TrustLevel, str, str, str]:
    passed = {(each.method, each.domain) for each in proofs if each.result == "pass"}
    dmarc = [each for each in proofs if each.method == "dmarc"]
    if dmarc and all(each.result == "pass" for each in dmarc):
        domain = dmarc[0].domain
        words = f"It really is from {domain}: the domain vouches for it, and it was not forged."
        return TrustLevel.PROVEN, f"Really from {domain}", words, domain
    if any(each.result == "fail" for each in dmarc):
        words = (
            f"It says that it is from {author or 'somewhere'}, but that domain does not vouch for it. "
            "Take care with its links and with what it asks for."
        )
        return TrustLevel.SUSPECT, "Perhaps forged", words, ""
    signers = sorted(domain for method, domain in passed if method == "dkim")
    own = next((each for each in signers if _aligned(each, author)), "")
    if own:
        words = f"{own} signed it, and it was not changed since."
        return TrustLevel.PROVEN, f"Really from {own}", words, own
    senders = sorted(domain for method, domain in passed if method == "spf")
    vouching = next(iter(signers + senders), "")
    if vouching and _aligned(vouching, author):
        words = (
            f"The server that brought it may send for {vouching}. The message itself is not signed, so "
            "nothing proves who wrote it or that it was not changed."
        )
        return TrustLevel.PARTLY, f"Probably from {vouching}", words, vouching
    if vouching:
        words = f"It came by way of {vouching}, which vouches for it; {author or 'the author'} does not."
        return TrustLevel.PARTLY, f"Sent by way of {vouching}", words, vouching
    words = (
        f"Nobody vouches that it is from {author or 'whom it says'}. Anyone could have written it."
    )
    return TrustLevel.UNPROVEN, "Sender not proven", words, ""


def _proof(finding: Finding) -> Proof | None:
    if finding.method not in _PASSED:
        return None
    values = {(kind, name): value for kind, name, value in finding.properties}
    domain = next((values[each] for each in _DOMAINS[finding.method] if each in values), "")
    domain = domain.rpartition("@")[2].lower()
    if finding.result == "pass":
        words = _PASSED
    elif finding.result in ("fail", "softfail", "permerror", "policy"):
        words = _FAILED
    elif finding.result == "temperror":
        return Proof(finding.method, finding.result, domain, "could not be looked up at the time")
    else:
        words = _OPEN
    return Proof(
        finding.method,
        finding.result,
        domain,
        words[finding.method].format(domain=domain or "the sender"),
    )


def _aligned(domain: str, author: str) -> bool:
    return bool(author) and (domain == author or author.endswith(f".{domain}"))


def _link(origin: Origin) -> tuple[bool | None, str]:
    if not origin.client and origin.tls is None:
        return None, "It never left this machine."
    if origin.tls is None:
        return False, "The link to this server was not encrypted: it could be read on its way."
    return True, f"The link to this server was encrypted ({version_of(origin.tls)})."


def version_of(tls: str) -> str:
    """Return ``"TLS 1.3"`` for ``"TLSv1.3 TLS_AES_256_GCM_SHA384"``."""
    return tls.partition(" ")[0].replace("TLSv", "TLS ")
