"""How safely mail comes to us: MTA-STS, TLS reports, DANE."""

import hashlib
import re

from postroad.ports import AnswerStatus, Resolver
from postroad.service.domain_check.finding import Finding, Level, Record
from postroad.service.domain_check.hosts import mx_hosts, no_answer
from postroad.service.domain_check.setup import Setup, tls_report_record, tlsa_name

# RFC 8461 §3.1: sts-version, then sts-id of at most 32 letters and digits.
_STS = re.compile(r"v=STSv1[ \t]*;(?:.*;)?[ \t]*id[ \t]*=[ \t]*[A-Za-z0-9]{1,32}[ \t]*(?:;.*)?")
# RFC 8460 §3
_TLSRPT = re.compile(
    r"v=TLSRPTv1[ \t]*;[ \t]*rua=((?:mailto:|https:)[!-~]+(?:[ \t]*,[ \t]*[!-~]+)*);?"
)

_STS_WHY = (
    "Without MTA-STS or DANE, whoever sits between sender and us can strip TLS from the connection."
)
_REPORT_WHY = (
    "Senders report by it when they could not reach us over TLS; nobody else will tell you."
)
_DANE_WHY = "DANE lets senders know our certificate by DNSSEC, whoever issued it (RFC 7672)."


async def check_mta_sts(domain: str, setup: Setup, resolver: Resolver) -> list[Finding]:
    """The record, and that there is a host for the policy."""
    name = f"_mta-sts.{domain}"
    answer = await resolver.lookup(name, "TXT")
    if answer.status is AnswerStatus.FAILED:
        return [no_answer("MTA-STS", answer)]
    found = [text for text in answer.records if text.startswith("v=STSv1")]
    wanted = (Record(name, "TXT", f"v=STSv1; id={_policy_id(setup)}"),)
    host = f"mta-sts.{domain}"
    if not found:
        text = f"{domain} has no MTA-STS; it needs the record and, at https://{host}, a policy"
        return [Finding("MTA-STS", Level.WARNING, text, _STS_WHY, wanted)]
    if len(found) > 1 or not _STS.fullmatch(found[0]):
        text = f"{name}: {len(found)} records" if len(found) > 1 else f"{name}: {found[0][:100]!r}"
        why = "A record that cannot be read counts as none (RFC 8461 §3.1)."
        return [Finding("MTA-STS", Level.PROBLEM, text, why, wanted)]
    addresses = [await resolver.lookup(host, kind) for kind in ("A", "AAAA")]
    if not any(each.records for each in addresses):
        text = f"{name} announces a policy, and {host}, where it would be, has no address"
        why = "The policy cannot be fetched: there is no protection, and senders report failures."
        host_record = Record(host, "CNAME", setup.hostname)
        return [Finding("MTA-STS", Level.PROBLEM, text, why, (host_record,))]
    return [Finding("MTA-STS", Level.OK, f"{name}: {found[0]}")]


async def check_tls_reports(domain: str, setup: Setup, resolver: Resolver) -> list[Finding]:
    """Whether senders know where to report failed TLS."""
    wanted = (tls_report_record(domain, setup),)
    name = wanted[0].name
    answer = await resolver.lookup(name, "TXT")
    if answer.status is AnswerStatus.FAILED:
        return [no_answer("TLS-RPT", answer)]
    found = [text for text in answer.records if text.startswith("v=TLSRPTv1")]
    if not found:
        text = f"{domain} asks for no TLS reports"
        return [Finding("TLS-RPT", Level.WARNING, text, _REPORT_WHY, wanted)]
    match = _TLSRPT.fullmatch(found[0].strip())
    if len(found) > 1 or match is None:
        text = f"{name}: {len(found)} records" if len(found) > 1 else f"{name}: {found[0][:100]!r}"
        why = "A record that cannot be read counts as none (RFC 8460 §3)."
        return [Finding("TLS-RPT", Level.PROBLEM, text, why, wanted)]
    return [Finding("TLS-RPT", Level.OK, f"reports go to {match[1]}")]


async def check_dane(domain: str, setup: Setup, resolver: Resolver) -> list[Finding]:
    """TLSA records of the MX hosts; for our own, whether they tell of our certificate."""
    answer, hosts = await mx_hosts(domain, resolver)
    if answer.status is AnswerStatus.FAILED:
        return []  # said of MX
    return [await _dane(host, setup, resolver) for host in hosts or [setup.hostname]]


async def _dane(host: str, setup: Setup, resolver: Resolver) -> Finding:
    name = tlsa_name(host)
    ours = host == setup.hostname
    wanted = (Record(name, "TLSA", setup.tlsa),) if ours and setup.tlsa else ()
    answer = await resolver.lookup(name, "TLSA")
    if answer.status is AnswerStatus.FAILED:
        return no_answer("DANE", answer)
    if not answer.records:
        text = f"{host} has no TLSA record"
        if not (await resolver.lookup(host, "A")).authenticated:
            text += "; its zone is not seen to be signed by DNSSEC, which DANE needs"
        return Finding("DANE", Level.WARNING, text, _DANE_WHY, wanted)
    found = [" ".join(record.lower().split()) for record in answer.records]
    if not answer.authenticated:
        text = f"{name} is there, and its answer is not seen to be authentic by DNSSEC"
        why = (
            "Senders ignore TLSA records that are not validated; here only a validating resolver "
            "(delivery.nameservers_trusted, or one on this machine) can tell."
        )
        return Finding("DANE", Level.WARNING, text, why)
    if not ours or not setup.tlsa:
        return Finding("DANE", Level.OK, f"{name}: {'; '.join(found)}")
    if setup.tlsa in found:
        return Finding("DANE", Level.OK, f"{name} tells of our certificate's key")
    comparable = [record for record in found if record.startswith("3 1 1 ")]
    if len(comparable) == len(found):
        text = f"{name} tells of another key than that of our certificate"
        why = (
            "Senders that honour DANE do not deliver to us: remove the record or publish the right."
        )
        return Finding("DANE", Level.PROBLEM, text, why, wanted)
    text = f"{name}: {'; '.join(found)}; compared here is only 3 1 1"
    why = "3 1 1 names our key alone, and stays true when the certificate is renewed."
    return Finding("DANE", Level.WARNING, text, why, wanted)


def _policy_id(setup: Setup) -> str:
    """An id that changes with what the policy would say."""
    return hashlib.sha256(setup.hostname.encode()).hexdigest()[:20]
