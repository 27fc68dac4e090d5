"""Where reports may go: to the domain itself, or to one that says that it takes them (RFC 9990 §4)."""

from enum import Enum

from postroad.ports import AnswerStatus, Resolver
from postroad.trust.dmarc.discovery import DnsFailed, Explorer

_VERSION = "v=DMARC1"


class Consent(Enum):
    """Whether an address may get reports of a domain."""

    GIVEN = "given"
    REFUSED = "refused"
    UNKNOWN = "unknown"  # the DNS did not answer


def mail_domain(uri: str) -> str:
    """Return the domain of a ``mailto:`` URI in lower case, ``""`` for any other."""
    scheme, _, address = uri.partition(":")
    if scheme.lower() != "mailto":
        return ""
    _, at, domain = address.partition("?")[0].rpartition("@")
    return domain.lower() if at else ""


def consent_name(domain: str, receiver: str) -> str:
    """Return where `receiver` says that it takes reports of `domain`."""
    return f"{domain}._report._dmarc.{receiver}"


async def consent(
    domain: str, receiver: str, explorer: Explorer, resolver: Resolver
) -> tuple[Consent, str]:
    """Return whether reports of `domain` may go to the domain `receiver`, and why it is not known."""
    if receiver == domain or receiver.endswith(f".{domain}"):
        return Consent.GIVEN, ""
    try:
        ours = await explorer.organizational_domain(domain)
        if await explorer.organizational_domain(receiver) == ours:
            return Consent.GIVEN, ""
    except DnsFailed as error:
        return Consent.UNKNOWN, str(error)
    answer = await resolver.lookup(consent_name(domain, receiver), "TXT")
    if answer.status is AnswerStatus.FAILED:
        return Consent.UNKNOWN, answer.detail or "no answer"
    if any(text.replace(" ", "").startswith(_VERSION) for text in answer.records):
        return Consent.GIVEN, ""
    return Consent.REFUSED, ""
