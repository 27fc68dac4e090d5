"""SPF, DKIM and DMARC of a domain, evaluated as a receiver would."""

from contextlib import suppress

from postroad.model import Address
from postroad.ports import AnswerStatus, Resolver
from postroad.service.domain_check.finding import Finding, Level, Record
from postroad.service.domain_check.hosts import no_answer
from postroad.service.domain_check.mended import dmarc_from, mended_dmarc, mended_spf
from postroad.service.domain_check.setup import (
    DkimKey,
    Setup,
    dkim_record,
    dmarc_record,
    helo_spf_record,
    spf_record,
)
from postroad.trust.dkim.record import read_key
from postroad.trust.dmarc import Discovery, DnsFailed, Explorer, Policy
from postroad.trust.dmarc_report.consent import Consent, consent, consent_name, mail_domain
from postroad.trust.spf import Identity, SpfLimits, SpfResult, check_spf

# RFC 5737, RFC 3849: nobody sends from there, so nobody may who is allowed.
_STRANGERS = ("203.0.113.251", "2001:db8:ffff::fb")
_FEW_TERMS_LEFT = 2
_GOOD_RSA_BITS = 2048

_SPF_WHY = "Receivers ask SPF whether our address may send for the domain; else mail is distrusted."
_DKIM_WHY = "A signature proves the domain wherever mail is forwarded; large receivers require one."
_DMARC_WHY = (
    "Without a DMARC policy anybody may write in the domain's name; large receivers require one."
)


async def check_spf_records(domain: str, setup: Setup, resolver: Resolver) -> list[Finding]:
    """SPF of the domain for each of our addresses and for strangers, and of our host name."""
    findings = [await _spf(domain, setup, each, resolver) for each in setup.addresses]
    stranger = await _strangers(domain, setup, resolver)
    if stranger is not None:
        findings.append(stranger)
    findings += [await _helo(setup, each, resolver) for each in setup.addresses[:1]]
    return findings


async def _spf(domain: str, setup: Setup, address: str, resolver: Resolver) -> Finding:
    check = await check_spf(
        resolver, ip=address, helo=setup.hostname, sender=Address("postmaster", domain)
    )
    if check.result is SpfResult.PASS:
        left = SpfLimits().terms - check.terms
        text = f"{address} may send for {domain} ({check.term})"
        if left < _FEW_TERMS_LEFT:
            why = "A record with more than 10 terms that ask the DNS is void (RFC 7208 §4.6.4)."
            return Finding("SPF", Level.WARNING, f"{text}; {check.terms} of 10 look-ups", why)
        return Finding("SPF", Level.OK, text)
    if check.result is SpfResult.NONE:
        return Finding("SPF", Level.PROBLEM, check.reason, _SPF_WHY, (spf_record(domain, setup),))
    text = f"{address} for {domain}: {check.result.value}, {check.reason}"
    wanted: tuple[Record, ...] = ()
    with suppress(DnsFailed):  # the finding says already that there is no answer
        wanted = (await mended_spf(domain, setup, resolver),)
    return Finding("SPF", Level.PROBLEM, text, _SPF_WHY, wanted)


async def _strangers(domain: str, setup: Setup, resolver: Resolver) -> Finding | None:
    """What comes of addresses that are nobody's; where ours are not known, the record itself too."""
    for address in _STRANGERS:
        check = await check_spf(
            resolver, ip=address, helo="stranger.invalid", sender=Address("postmaster", domain)
        )
        if check.result is SpfResult.PASS:
            text = f"anybody may send for {domain}: {check.term} lets {address} pass"
            why = "A record that lets everybody pass proves nothing, and forgers know such domains."
            return Finding("SPF", Level.PROBLEM, text, why)
        if check.result in _NO_RECORD and not setup.addresses:
            fresh = (spf_record(domain, setup),)
            return Finding("SPF", Level.PROBLEM, check.reason, _SPF_WHY, fresh)
        if check.result is SpfResult.NEUTRAL:
            text = f"{domain} says nothing of strangers: the record ends without -all or ~all"
            why = "Mail from anywhere is then neither right nor wrong."
            return Finding("SPF", Level.WARNING, text, why)
    return None


_NO_RECORD = (SpfResult.NONE, SpfResult.PERMERROR, SpfResult.TEMPERROR)


async def _helo(setup: Setup, address: str, resolver: Resolver) -> Finding:
    check = await check_spf(
        resolver, ip=address, helo=setup.hostname, sender=None, identity=Identity.HELO
    )
    if check.result is SpfResult.PASS:
        return Finding("SPF", Level.OK, f"{address} may call itself {setup.hostname}")
    text = f"{setup.hostname} (the name in EHLO): {check.result.value}, {check.reason}"
    why = "Bounces have no sender; of them SPF asks the name in EHLO (RFC 7208 §2.4)."
    wanted = (helo_spf_record(setup),)
    return Finding("SPF", Level.WARNING, text, why, wanted)


async def check_dkim(domain: str, setup: Setup, resolver: Resolver) -> list[Finding]:
    """Whether the keys that sign for the domain are published."""
    known = {key.selector for key in setup.keys}
    findings = [await _own_key(domain, key, resolver) for key in setup.keys]
    findings += [
        await _published_key(domain, selector, resolver)
        for selector in setup.selectors
        if selector not in known
    ]
    if not findings:
        text = f"no key that signs for {domain} is known here; name a selector by --selector"
        findings.append(Finding("DKIM", Level.WARNING, text, _DKIM_WHY))
    return findings


async def _own_key(domain: str, key: DkimKey, resolver: Resolver) -> Finding:
    wanted = (dkim_record(domain, key),)
    answer = await resolver.lookup(wanted[0].name, "TXT")
    if answer.status is AnswerStatus.FAILED:
        return no_answer("DKIM", answer)
    if not answer.records:
        if not key.signs:
            text = f"{wanted[0].name}: a new key waits for its record"
            return Finding("DKIM", Level.WARNING, text, _DKIM_WHY, wanted)
        text = f"{wanted[0].name}: the key is not published, so its signatures do not verify"
        return Finding("DKIM", Level.PROBLEM, text, _DKIM_WHY, wanted)
    ours = read_key(key.text)
    if len(answer.records) == 1 and not isinstance(ours, str):
        there = read_key(answer.records[0])
        same = not isinstance(there, str) and there.key == ours.key
        if same:
            return _judged(wanted[0].name, answer.records[0], wanted)
    text = f"{wanted[0].name}: what is published is not our key"
    return Finding("DKIM", Level.PROBLEM, text, _DKIM_WHY, wanted)


async def _published_key(domain: str, selector: str, resolver: Resolver) -> Finding:
    name = f"{selector}._domainkey.{domain}"
    answer = await resolver.lookup(name, "TXT")
    if answer.status is AnswerStatus.FAILED:
        return no_answer("DKIM", answer)
    if not answer.records:
        return Finding("DKIM", Level.PROBLEM, f"there is no key {name}", _DKIM_WHY)
    return _judged(name, answer.records[0], ())


def _judged(name: str, text: str, wanted: tuple[Record, ...]) -> Finding:
    key = read_key(text)
    if isinstance(key, str):
        return Finding("DKIM", Level.PROBLEM, f"{name}: {key}", _DKIM_WHY, wanted)
    shown = f"{name}: {key.algorithm.value}, {key.bits} bits"
    if key.testing:
        why = "With t=y receivers treat signed mail as if it were not signed (RFC 6376 §3.6.1)."
        return Finding("DKIM", Level.WARNING, f"{shown}, in test mode (t=y)", why, wanted)
    if key.algorithm.value.startswith("rsa") and key.bits < _GOOD_RSA_BITS:
        why = "RSA keys should have 2048 bits (RFC 8301 §3.2); shorter ones are within reach."
        return Finding("DKIM", Level.WARNING, shown, why)
    return Finding("DKIM", Level.OK, shown)


async def check_dmarc(domain: str, setup: Setup, resolver: Resolver) -> list[Finding]:
    """The policy that applies, what is wrong with its record, and whether its reports may go there."""
    explorer = Explorer(resolver, Discovery.TREE_WALK)
    try:
        published = await explorer.policy(domain)
        fresh = await mended_dmarc(domain, setup, resolver) if published is None else None
    except DnsFailed as error:
        why = "Without an answer receivers put mail off, or judge it without your policy."
        return [Finding("DMARC", Level.PROBLEM, str(error), why)]
    if published is None:
        text = explorer.notes[0] if explorer.notes else f"{domain} has no DMARC policy"
        proposed = (fresh,) if fresh is not None else ()
        return [Finding("DMARC", Level.PROBLEM, text, _DMARC_WHY, proposed)]
    record = published.record
    policy = record.p
    if published.domain != domain and record.sp is not None:
        policy = record.sp
    where = f"_dmarc.{published.domain}"
    mended = dmarc_from(record.text, dmarc_record(published.domain, setup), setup.reports_to)
    wanted = (mended,)
    findings = []
    if record.problems:
        why = "What cannot be read counts as absent (RFC 9989 §4.8)."
        text = f"{where}: {'; '.join(record.problems)}"
        findings.append(Finding("DMARC", Level.PROBLEM, text, why, wanted))
    elif policy is Policy.NONE:
        why = "p=none asks receivers to do nothing about forged mail; it is for the first weeks."
        own = wanted if published.domain == domain else (dmarc_record(domain, setup),)
        findings.append(Finding("DMARC", Level.WARNING, f"{where}: p=none", why, own))
    elif record.testing or record.pct < 100:
        text = f"{where}: {record.text}"
        why = "The policy applies to a part of the mail only (t=y or pct)."
        findings.append(Finding("DMARC", Level.WARNING, text, why))
    else:
        findings.append(Finding("DMARC", Level.OK, f"{where}: forged mail is to {_ASK[policy]}"))
    if not record.rua:
        why = "Reports are how you learn who sends in your name, and which of your mail fails."
        text = f"{where} asks for no reports (rua)"
        findings.append(Finding("DMARC", Level.WARNING, text, why, wanted))
    for each in record.rua:
        found = await _report_address(published.domain, each.uri, explorer, resolver)
        if found is not None:
            findings.append(found)
    return findings


_ASK = {Policy.QUARANTINE: "be put in Junk (quarantine)", Policy.REJECT: "be refused (reject)"}


async def _report_address(
    domain: str, uri: str, explorer: Explorer, resolver: Resolver
) -> Finding | None:
    """Who gets reports of another's domain must say so in the DNS (RFC 9990 §4)."""
    other = mail_domain(uri)
    if not other:
        text = f"reports go to {uri}, and only mailto: is known to all"
        return Finding("DMARC", Level.WARNING, text, "Other addresses for reports are ignored.")
    said, reason = await consent(domain, other, explorer, resolver)
    if said is Consent.GIVEN:
        return None
    if said is Consent.UNKNOWN:
        return Finding("DMARC", Level.WARNING, reason, "Reports may not be sent.")
    why = f"Reports go to another domain only if that domain agrees; {other} has to publish it."
    text = f"{other} does not say that it takes reports of {domain}"
    wanted = (Record(consent_name(domain, other), "TXT", "v=DMARC1"),)
    return Finding("DMARC", Level.WARNING, text, why, wanted)
