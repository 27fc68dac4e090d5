"""How safely mail comes to us: MTA-STS, TLS reports, DANE."""

from postroad.model import StsMode
from postroad.ports import AnswerStatus, Resolver
from postroad.service.domain_check.finding import Finding, Level, Record
from postroad.service.domain_check.hosts import mx_hosts, no_answer
from postroad.service.domain_check.setup import (
    Setup,
    sts_records,
    tls_report_record,
    tlsa_name,
)
from postroad.trust.dane import parse_tlsa, usable, verify_dane
from postroad.trust.mta_sts import StsInvalid, matches, parse_record
from postroad.trust.tls_report import parse_rua

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
    host = f"mta-sts.{domain}"
    wanted = tuple(sts_records(domain, setup))
    try:
        found = parse_record(answer.records)
    except StsInvalid as error:
        why = "A record that cannot be read counts as none (RFC 8461 §3.1)."
        return [Finding("MTA-STS", Level.PROBLEM, f"{name}: {error}", why, wanted)]
    if found is None:
        text = f"{domain} has no MTA-STS; it needs a policy at https://{host} and a record"
        if not wanted:
            text += ": see postroad mta-sts and listen.mta_sts"
        return [Finding("MTA-STS", Level.WARNING, text, _STS_WHY, wanted)]
    if setup.sts_record and parse_record([setup.sts_record]) != found:
        text = f"{name} announces the policy {found}, and we serve another"
        why = "Senders that know the earlier policy do not ask for the new one."
        return [Finding("MTA-STS", Level.WARNING, text, why, wanted[:1])]
    addresses = [await resolver.lookup(host, kind) for kind in ("A", "AAAA")]
    if not any(each.records for each in addresses):
        text = f"{name} announces a policy, and {host}, where it would be, has no address"
        why = "The policy cannot be fetched: there is no protection, and senders report failures."
        host_record = Record(host, "CNAME", setup.hostname)
        return [Finding("MTA-STS", Level.PROBLEM, text, why, (host_record,))]
    ours = bool(setup.sts_record) or found == setup.sts_id
    left_out = await hosts_left_out(domain, setup, resolver) if ours else ""
    if left_out:
        level = Level.PROBLEM if setup.sts_mode is StsMode.ENFORCE else Level.WARNING
        why = "Senders that honour the policy deliver only to the hosts that it names."
        return [Finding("MTA-STS", level, left_out, why)]
    return [Finding("MTA-STS", Level.OK, f"{name} announces the policy {found}")]


async def hosts_left_out(domain: str, setup: Setup, resolver: Resolver) -> str:
    """Return what is wrong with our policy where MX records lead to hosts that it does not name; ``""``
    where it names them all, or asks for nothing.
    """
    if setup.sts_mode is StsMode.NONE:
        return ""
    _, hosts = await mx_hosts(domain, resolver)
    left_out = [each for each in hosts if not matches(setup.sts_hosts, each)]
    if not left_out:
        return ""
    return (
        f"our policy (mode {setup.sts_mode.value}) does not name {', '.join(left_out)}, to which MX "
        f"records of {domain} lead; see mta_sts.mx"
    )


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
    places = parse_rua(answer.records)
    if not places:
        text = f"{name}: {len(found)} records" if len(found) > 1 else f"{name}: {found[0][:100]!r}"
        why = "A record that cannot be read counts as none (RFC 8460 §3)."
        return [Finding("TLS-RPT", Level.PROBLEM, text, why, wanted)]
    return [Finding("TLS-RPT", Level.OK, f"reports go to {', '.join(places)}")]


async def check_dane(domain: str, setup: Setup, resolver: Resolver, now: float) -> list[Finding]:
    """TLSA records of the MX hosts; for our own, whether our certificate fits, as senders see it."""
    answer, hosts = await mx_hosts(domain, resolver)
    if answer.status is AnswerStatus.FAILED:
        return []  # said of MX
    chosen = hosts or [setup.hostname]
    return [await _dane(host, domain, setup, resolver, now) for host in chosen]


async def _dane(host: str, domain: str, setup: Setup, resolver: Resolver, now: float) -> Finding:
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
    if not ours or not setup.chain:
        return Finding("DANE", Level.OK, f"{name}: {'; '.join(found)}")
    records = usable(each for text in answer.records if (each := parse_tlsa(text)) is not None)
    if not records:
        text = f"{name} has no record that mail servers use: {'; '.join(found)}"
        why = (
            "Mail knows usages 2 and 3 only (RFC 7672 §3.1); senders then ask for TLS and no more."
        )
        return Finding("DANE", Level.WARNING, text, why, wanted)
    verdict = verify_dane(records, setup.chain, (host, domain), now)
    if verdict.problem is None:
        return Finding("DANE", Level.OK, f"{name} fits our certificate ({verdict.record})")
    text = f"{name} does not fit our certificate: {verdict.reason or verdict.problem.value}"
    why = (
        "Senders that honour DANE do not deliver to us: remove the record or publish the right one."
    )
    return Finding("DANE", Level.PROBLEM, text, why, wanted)
