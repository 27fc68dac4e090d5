"""DMARC: is the author's domain proven, and if not, what does its owner ask for (RFC 9989)?"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from postroad.message.header import Header
from postroad.model import Reply
from postroad.policy.checks.recognition import DnsFailure, Recognition, client_address
from postroad.policy.checks.signatures import SignatureReader, Signatures
from postroad.policy.runner import Check, check
from postroad.policy.stages import MessageReceived
from postroad.policy.verdict import ACCEPT, Accept, Defer, Quarantine, Reject, Verdict
from postroad.ports import Entropy, Resolver
from postroad.trust.arc import Chain, ChainStatus, first_hop_dmarc
from postroad.trust.dkim import Checked, Result
from postroad.trust.dmarc import (
    DmarcCheck,
    DmarcResult,
    DmarcSettings,
    Identifier,
    Mechanism,
    Policy,
    Proof,
    author_of,
    evaluate,
    identifier_of_spf,
)
from postroad.trust.dmarc_report import Observation, observe
from postroad.trust.spf import SpfCheck

_MAX_WORDS = 300


Observer: TypeAlias = Callable[[Sequence[Observation]], None]
"""Is told what the owners of domains want to know of a message; never raises."""


def recognise_author(
    settings: Recognition,
    resolver: Resolver,
    entropy: Entropy,
    observer: Observer | None = None,
    *,
    dry_run: bool = False,
) -> Check:
    """Evaluate DMARC by what SPF and DKIM found, and do what the owner of the domain asks for.

    The fact is a `DmarcCheck`. Policy is not applied where the configuration says so, nor where all
    sealers of a valid ARC chain are trusted and the first of them saw DMARC pass for each domain of the
    author (RFC 8617 §7.2.1). In a `dry_run` the verdict will not be done, and owners are told so.
    """
    dmarc_settings = DmarcSettings(discovery=settings.discovery, malformed=settings.malformed)

    @check(stage=MessageReceived, name="dmarc")
    async def dmarc(stage: MessageReceived) -> Verdict:
        if not settings.concerns(stage.origin):
            return ACCEPT
        reader = stage.reading(SignatureReader)
        header = stage.header if reader is None else reader.header
        found = await evaluate(
            resolver,
            author_of(header),
            _identifiers(stage),
            settings=dmarc_settings,
            sample=entropy.random(),
        )
        chain = stage.fact(Chain)
        verdict = _judge(settings, found, chain, header)
        if observer is not None and not isinstance(verdict, Defer):
            override = (
                "" if found.policy is Policy.NONE else _override(settings, found, chain, header)
            )
            if dry_run:
                override = override or "policies are only tried here"
            done = ACCEPT if dry_run else verdict
            observer(_observations(settings, stage, found, done, override))
        return verdict

    return dmarc


def _observations(
    settings: Recognition,
    stage: MessageReceived,
    found: DmarcCheck,
    verdict: Verdict,
    override: str,
) -> list[Observation]:
    sender = stage.envelope.sender
    signatures = stage.fact(Signatures)
    done = Policy.NONE
    if isinstance(verdict, Reject):
        done = Policy.REJECT
    elif isinstance(verdict, Quarantine):
        done = Policy.QUARANTINE
    return observe(
        found,
        stage.fact(SpfCheck),
        () if signatures is None else signatures.checked,
        source_ip=client_address(stage.origin),
        envelope_from="" if sender is None else sender.domain,
        disposition=done,
        override=override,
        discovery=settings.discovery,
    )


def _identifiers(stage: MessageReceived) -> list[Identifier]:
    spf = stage.fact(SpfCheck)
    signatures = stage.fact(Signatures)
    found = [] if spf is None else [identifier_of_spf(spf)]
    if signatures is not None:
        found += [_identifier(each) for each in signatures.checked if each.domain]
    return found


def _identifier(checked: Checked) -> Identifier:
    proof = Proof.FAIL
    detail = checked.selector
    if checked.result is Result.PASS and checked.testing:
        detail += ", only testing"  # RFC 6376 §3.6.1: as good as unsigned
    elif checked.result is Result.PASS:
        proof = Proof.PASS
    elif checked.result is Result.TEMPERROR:
        proof = Proof.UNKNOWN
    return Identifier(Mechanism.DKIM, checked.domain, proof, detail)


def _judge(
    settings: Recognition, found: DmarcCheck, chain: Chain | None, header: Header
) -> Verdict:
    words = "; ".join(found.reasons)[:_MAX_WORDS]
    reason = f"{found.result.value}: {words}"
    if found.result is DmarcResult.TEMPERROR:
        if settings.dns_failure is DnsFailure.ACCEPT or settings.lets_be(found.author.domains):
            return Accept(reason, fact=found)
        text = "The DNS does not say now whether the author may be believed, try again later"
        return Defer(Reply(451, "4.7.0", text), reason, found)
    if found.policy is Policy.NONE:
        return Accept(reason, fact=found)
    instead = _override(settings, found, chain, header)
    if instead:
        return Accept(f"{reason}; not applied: {instead}", fact=found)
    if found.policy is Policy.QUARANTINE:
        return Quarantine(reason, fact=found)
    return Reject(_refusal(found), reason, found)


def _override(settings: Recognition, found: DmarcCheck, chain: Chain | None, header: Header) -> str:
    """Why the policy is not applied, ``""`` where it is."""
    if not settings.enforce:
        return "policies are only told here"
    if found.author.problem is not None:
        return ""  # what is in doubt here is the message itself, not who may send it
    if settings.lets_be(found.author.domains):
        return f"the policy of {found.author.domains[0]} is only told here"
    if (
        chain is not None
        and chain.status is ChainStatus.PASS
        and all(sealer in settings.sealers for sealer in chain.sealers)
        and _first_saw_all_pass(header, found.author.domains)
    ):
        return f"{chain.sealers[-1]} saw it pass, and all who sealed it are trusted"
    return ""


def _first_saw_all_pass(header: Header, authors: Sequence[str]) -> bool:
    """Whether the first hop saw each domain of the author pass, and none fail."""
    seen = first_hop_dmarc(header)
    return (
        bool(seen)
        and all(each.passed for each in seen)
        and set(authors) <= {each.domain for each in seen}
    )


def _refusal(found: DmarcCheck) -> Reply:
    problem = found.author.problem
    if problem is not None:
        return Reply(550, "5.7.1", f"The author cannot be relied on: {problem.value}")
    failed = [each for each in found.domains if each.result is DmarcResult.FAIL]
    domain = (failed or found.domains)[0]
    owner = f"{domain.tag or 'p'}=reject of {domain.policy_domain}"
    return Reply(
        550,
        "5.7.1",
        f"Neither SPF nor DKIM proves that this mail is from {domain.domain} (DMARC, {owner})",
    )
