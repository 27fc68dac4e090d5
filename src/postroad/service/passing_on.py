"""Mail from outside that an alias leads to another place: what is kept with it, and what is not taken.

It leaves here from addresses of ours, which the next server finds proven for our domains. So mail whose
author claims to be of such a domain, and whom nothing proves, must not be passed on: after us a forgery
would pass DMARC (RFC 7489 §3.1).
"""

from collections.abc import Collection, Iterable

from postroad.model import Address, Findings, Origin, Reply, ServerKind
from postroad.service.recipients import Accepted, Recipients
from postroad.trust.dmarc import DmarcCheck, DmarcResult, DomainCheck

_FROM_OUTSIDE = (ServerKind.MX, ServerKind.LMTP)
_HARMLESS = (DmarcResult.PASS, DmarcResult.NONE)


def domains_passing_on(
    origin: Origin, accepted: Iterable[Accepted], name: str = ""
) -> frozenset[str]:
    """Return the domains in whose name aliases lead a message to other places: their own, or `name`.
    None, as for nearly all, where none does.
    """
    if origin.server not in _FROM_OUTSIDE:
        return frozenset()
    return frozenset(
        name or target.original.domain
        for each in accepted
        for target in each.targets
        if target.is_passed_on
    )


async def findings_of(
    facts: Iterable[object],
    sender: Address | None,
    passing_on: frozenset[str],
    recipients: Recipients,
    hostname: str,
) -> Findings | Reply | None:
    """Return what is to be kept of what checks found (None: nothing was recognised), or the reply where
    the message cannot be passed on by these domains.

    Where DMARC was not asked nothing is refused: the mail of `trust.relays` was looked at before, and
    without `trust.verify` nobody wants to know.
    """
    check = next((fact for fact in facts if isinstance(fact, DmarcCheck)), None)
    if check is not None:
        leaving_as = passing_on
        if sender is None:
            leaving_as |= {hostname}  # RFC 7208 §2.4: our HELO is asked for
        elif await recipients.hosts(sender.domain):
            leaving_as |= {sender.domain}  # which may be left as it is
        refusal = refusal_of_author(check, leaving_as)
        if refusal is not None:
            return refusal
    return next((fact for fact in facts if isinstance(fact, Findings)), None)


def refusal_of_author(check: DmarcCheck, senders: Collection[str]) -> Reply | None:
    """Return the reply where the author cannot be proven and would be, after us; `senders` are the
    domains in whose name the mail would leave.

    550 5.7.1, or 451 4.7.0 where the DNS did not tell.
    """
    for each in check.domains:
        if each.result not in _HARMLESS and any(_aligned(each, name) for name in senders):
            if each.result is DmarcResult.TEMPERROR:
                text = f"The DNS does not say now whether the author is of {each.domain}"
                return Reply(451, "4.7.0", f"{text}, try again later")
            text = f"Nothing proves that this mail is from {each.domain}, which is a domain here"
            return Reply(550, "5.7.1", f"{text}; it is not passed on in its name")
    return None


def _aligned(author: DomainCheck, sender: str) -> bool:
    """Whether what is proven for `sender` could prove the author (RFC 9989 §4.10.2), or nearly."""
    domain, organization = author.domain, author.organizational_domain
    return (
        _below(sender, domain)
        or _below(domain, sender)
        or (bool(organization) and _below(sender, organization))
    )


def _below(name: str, above: str) -> bool:
    return name == above or name.endswith(f".{above}")
