"""Evaluating a message (RFC 9989 §5.3, RFC 7489 §6.6): does anything proven speak for its author?

The SPF and DKIM results come as values, the DNS as a `ports.Resolver`, chance (for pct) as a number.
Nothing is raised for what is in the message or the DNS.
"""

from collections.abc import Sequence

from postroad.ports import Resolver
from postroad.trust.dmarc.author import Author
from postroad.trust.dmarc.discovery import DnsFailed, Explorer, Published
from postroad.trust.dmarc.record import DmarcRecord, Policy
from postroad.trust.dmarc.result import (
    DmarcCheck,
    DmarcResult,
    DmarcSettings,
    DomainCheck,
    Identifier,
    Mechanism,
    Proof,
)
from postroad.trust.spf import Identity, SpfCheck, SpfResult

MAX_IDENTIFIERS = 20
_DEFAULT_SETTINGS = DmarcSettings()


def identifier_of_spf(check: SpfCheck) -> Identifier:
    """Return what an SPF check of the MAIL FROM identity means to DMARC (RFC 9989 §4.4.2)."""
    proof = Proof.FAIL
    if check.identity is not Identity.MAIL_FROM:
        return Identifier(Mechanism.SPF, check.domain, proof, "HELO does not count")
    if check.result is SpfResult.PASS:
        proof = Proof.PASS
    elif check.result is SpfResult.TEMPERROR:
        proof = Proof.UNKNOWN
    return Identifier(Mechanism.SPF, check.domain, proof)


async def evaluate(
    resolver: Resolver,
    author: Author,
    identifiers: Sequence[Identifier],
    *,
    settings: DmarcSettings = _DEFAULT_SETTINGS,
    sample: float = 0.0,
) -> DmarcCheck:
    """Evaluate a message by its author and what SPF and DKIM say.

    `sample` in [0, 1) is drawn by the caller for ``pct``: the policy applies where it is below the
    share. Several author domains are each evaluated, the strictest policy counts (RFC 9989 §11.5). A
    malformed author never passes.
    """
    explorer = Explorer(resolver, settings.discovery)
    domains = [
        await _evaluate_domain(explorer, domain, identifiers, settings, sample)
        for domain in author.domains
    ]
    if author.problem is not None:
        return _malformed(author, domains, settings)
    result = _combined(domains)
    policy = Policy.NONE
    if result is DmarcResult.FAIL:
        policy = max((each.policy for each in domains), key=lambda each: each.strictness)
    reasons = [reason for each in domains for reason in each.reasons] or [
        "the author has no domain, only an address literal"
    ]
    return DmarcCheck(author, result, policy, tuple(domains), (*reasons, *explorer.notes))


def _malformed(
    author: Author, domains: Sequence[DomainCheck], settings: DmarcSettings
) -> DmarcCheck:
    """No identifier can be aligned with an author who is in doubt (RFC 9989 §4.4)."""
    problem = author.problem
    reason = problem.value if problem is not None else ""
    if author.detail:
        reason += f": {author.detail}"
    doubted = tuple(
        DomainCheck(
            each.domain,
            DmarcResult.PERMERROR,
            each.published,
            each.published,
            each.tag,
            "",
            each.policy_domain,
            each.organizational_domain,
            each.record,
        )
        for each in domains
    )
    policies = [settings.malformed, *(each.policy for each in doubted)]
    policy = max(policies, key=lambda each: each.strictness)
    return DmarcCheck(author, DmarcResult.PERMERROR, policy, doubted, (reason,))


def _combined(domains: Sequence[DomainCheck]) -> DmarcResult:
    results = {each.result for each in domains}
    for result in (DmarcResult.FAIL, DmarcResult.TEMPERROR, DmarcResult.NONE):
        if result in results:
            return result
    return DmarcResult.PASS if results else DmarcResult.NONE


async def _evaluate_domain(
    explorer: Explorer,
    domain: str,
    identifiers: Sequence[Identifier],
    settings: DmarcSettings,
    sample: float,
) -> DomainCheck:
    try:
        published = await explorer.policy(domain)
    except DnsFailed as error:
        return DomainCheck(
            domain,
            DmarcResult.TEMPERROR,
            reasons=(f"the policy of {domain} could not be asked: {error}",),
        )
    if published is None:
        return DomainCheck(
            domain, DmarcResult.NONE, reasons=(f"{domain} has no DMARC policy record",)
        )
    if not published.record.usable:
        wrong = "; ".join(published.record.problems)
        return DomainCheck(
            domain,
            DmarcResult.NONE,
            policy_domain=published.domain,
            record=published.record,
            reasons=(f"the DMARC record of {published.domain} asks for nothing: {wrong}",),
        )
    reasons: list[str] = []
    aligned: list[Identifier] = []
    unknown = False
    for identifier in _considered(identifiers):
        if identifier.proof is Proof.FAIL:
            reasons.append(f"{_name(identifier)} did not pass")
            continue
        try:
            matches = await _aligned(explorer, domain, identifier, published.record)
        except DnsFailed as error:
            unknown = True
            reasons.append(f"alignment of {_name(identifier)} could not be asked: {error}")
            continue
        if not matches:
            reasons.append(f"{_name(identifier)} is not aligned with {domain}")
        elif identifier.proof is Proof.PASS:
            aligned.append(identifier)
            reasons.append(f"{_name(identifier)} passed and is aligned with {domain}")
        else:
            unknown = True
            reasons.append(f"{_name(identifier)} is aligned, but the DNS did not answer for it")
    return await _with_policy(
        explorer, domain, published, aligned, unknown, reasons, settings, sample
    )


def _considered(identifiers: Sequence[Identifier]) -> Sequence[Identifier]:
    """At most `MAX_IDENTIFIERS`: of more, those that did not pass are left out first."""
    if len(identifiers) <= MAX_IDENTIFIERS:
        return identifiers
    order = (Proof.PASS, Proof.UNKNOWN, Proof.FAIL)
    return sorted(identifiers, key=lambda each: order.index(each.proof))[:MAX_IDENTIFIERS]


async def _with_policy(
    explorer: Explorer,
    domain: str,
    published: Published,
    aligned: list[Identifier],
    unknown: bool,
    reasons: list[str],
    settings: DmarcSettings,
    sample: float,
) -> DomainCheck:
    record = published.record
    result = DmarcResult.FAIL
    if aligned:
        result = DmarcResult.PASS
    elif unknown:
        result = DmarcResult.TEMPERROR
    elif not reasons:
        reasons.append("neither SPF nor DKIM proves any domain")
    tag, policy = "p", record.p
    if published.domain != domain:
        exists = True
        if result is DmarcResult.FAIL and record.np is not None:
            try:
                exists = await explorer.exists(domain)
            except DnsFailed as error:
                result = DmarcResult.TEMPERROR
                reasons.append(f"which policy applies could not be asked: {error}")
        tag, policy = _subdomain_policy(record, exists)
    applied, lowered_by = policy, ""
    if result is DmarcResult.FAIL:
        reasons.append(f"{published.domain} asks for {policy.value} ({tag}={policy.value})")
        applied, lowered_by = _lowered(record, policy, settings, sample)
        if lowered_by:
            reasons.append(f"{lowered_by} lowers it to {applied.value}")
    return DomainCheck(
        domain=domain,
        result=result,
        policy=applied if result is DmarcResult.FAIL else Policy.NONE,
        published=policy,
        tag=tag,
        lowered_by=lowered_by,
        policy_domain=published.domain,
        organizational_domain=explorer.known_organizational_domain(domain),
        record=record,
        aligned=tuple(aligned),
        reasons=tuple(reasons),
    )


def _subdomain_policy(record: DmarcRecord, exists: bool) -> tuple[str, Policy]:
    """RFC 9989 §4.10.1: np before sp before p."""
    if not exists and record.np is not None:
        return "np", record.np
    if record.sp is not None:
        return "sp", record.sp
    return "p", record.p


def _lowered(
    record: DmarcRecord, policy: Policy, settings: DmarcSettings, sample: float
) -> tuple[Policy, str]:
    """The test mode of RFC 9989 §4.7, and the share of RFC 7489 §6.6.4."""
    if policy is Policy.NONE:
        return policy, ""
    if record.testing:
        return policy.lower, "t=y"
    if settings.honour_pct and sample * 100 >= record.pct:
        return policy.lower, f"pct={record.pct}"
    return policy, ""


async def _aligned(
    explorer: Explorer, domain: str, identifier: Identifier, record: DmarcRecord
) -> bool:
    """RFC 9989 §4.10.2. Raises `DnsFailed`."""
    other = identifier.domain.removesuffix(".").lower()
    if other == domain:
        return True
    strict = record.strict_spf if identifier.mechanism is Mechanism.SPF else record.strict_dkim
    if strict or not other:
        return False
    organizational = await explorer.organizational_domain(domain)
    # A domain that is not below can have no other one in common with it: nothing is asked for it, so
    # that strangers' signatures cost no look-ups.
    if other != organizational and not other.endswith(f".{organizational}"):
        return False
    return await explorer.organizational_domain(other) == organizational


def _name(identifier: Identifier) -> str:
    detail = f" ({identifier.detail})" if identifier.detail else ""
    return f"{identifier.mechanism.value} for {identifier.domain[:253]}{detail}"
