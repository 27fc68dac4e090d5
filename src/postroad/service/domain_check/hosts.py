"""MX, the addresses of its hosts, and the names of ours (forward-confirmed reverse DNS)."""

from postroad.delivery.guard import refusal
from postroad.ports import Answer, AnswerStatus, Resolver
from postroad.service.domain_check.finding import Finding, Level, Record, reverse_name
from postroad.service.domain_check.setup import MX_PREFERENCE, Setup, address_record

MAX_HOSTS = 20

_MX_WHY = "Mail for the domain goes to the hosts of its MX records (RFC 5321 §5.1)."
_ADDRESS_WHY = "A host without a usable address gets no mail."
_PTR_WHY = (
    "Many receivers refuse or distrust mail from an address that has no name, or whose name does not "
    "lead back to it."
)


async def check_hosts(domain: str, setup: Setup, resolver: Resolver) -> list[Finding]:
    """MX, A and AAAA, FCrDNS."""
    findings, hosts = await _mx(domain, setup, resolver)
    for host in hosts:
        findings += await _addresses(host, setup, resolver)
    if setup.hostname not in hosts:
        findings += await _addresses(setup.hostname, setup, resolver)
    return findings + await _names(setup, resolver)


async def mx_hosts(domain: str, resolver: Resolver) -> tuple[Answer, list[str]]:
    """Return the answer and the hosts in it, best first, without the null MX."""
    answer = await resolver.lookup(domain, "MX")
    pairs = sorted(
        (int(preference), host.removesuffix(".").lower())
        for preference, _, host in (record.partition(" ") for record in answer.records)
        if preference.isdigit()
    )
    return answer, [host for _, host in pairs if host][:MAX_HOSTS]


async def _mx(domain: str, setup: Setup, resolver: Resolver) -> tuple[list[Finding], list[str]]:
    wanted = (Record(domain, "MX", f"{MX_PREFERENCE} {setup.hostname}"),)
    answer, hosts = await mx_hosts(domain, resolver)
    if answer.status is AnswerStatus.FAILED:
        return [no_answer("MX", answer)], []
    if answer.status is AnswerStatus.NO_NAME:
        text = f"{domain} does not exist in the DNS"
        return [Finding("MX", Level.PROBLEM, text, _MX_WHY, wanted)], []
    if not answer.records:
        text = f"{domain} has no MX record; senders fall back to its own address, if it has one"
        return [Finding("MX", Level.PROBLEM, text, _MX_WHY, wanted)], []
    if not hosts:
        text = f"{domain} says by a null MX that it takes no mail (RFC 7505)"
        return [Finding("MX", Level.PROBLEM, text, _MX_WHY, wanted)], []
    if setup.hostname not in hosts:
        text = f"mail goes to {', '.join(hosts)}, and not to us ({setup.hostname})"
        return [Finding("MX", Level.PROBLEM, text, _MX_WHY, wanted)], hosts
    others = [host for host in hosts if host != setup.hostname]
    text = f"mail comes to {setup.hostname}"
    if others:
        text += f"; also named: {', '.join(others)}"
    return [Finding("MX", Level.OK, text)], hosts


async def _addresses(host: str, setup: Setup, resolver: Resolver) -> list[Finding]:
    wanted: tuple[Record, ...] = ()
    if host == setup.hostname:
        wanted = tuple(address_record(host, each) for each in setup.addresses)
    alias = await resolver.lookup(host, "CNAME")
    if alias.records:
        text = f"{host} is an alias of {alias.records[0]}"
        why = "An MX host must have its addresses itself (RFC 2181 §10.3); some senders give up."
        return [Finding("A/AAAA", Level.PROBLEM, text, why, wanted)]
    answers = [await resolver.lookup(host, kind) for kind in ("A", "AAAA")]
    for answer in answers:
        if answer.status is AnswerStatus.FAILED:
            return [no_answer("A/AAAA", answer)]
    found = [record for answer in answers for record in answer.records]
    if not found:
        text = f"{host} has no address"
        return [Finding("A/AAAA", Level.PROBLEM, text, _ADDRESS_WHY, wanted)]
    refused = [refusal(each, allow_private=setup.allow_private) for each in found]
    reasons = [each for each in refused if each is not None]
    if reasons:
        text = f"{host}: {'; '.join(reasons)}"
        why = "Nobody outside reaches such an address, and careful senders never try."
        return [Finding("A/AAAA", Level.PROBLEM, text, why, wanted)]
    return [Finding("A/AAAA", Level.OK, f"{host} is at {', '.join(found)}")]


async def _names(setup: Setup, resolver: Resolver) -> list[Finding]:
    if not setup.addresses:
        text = "the addresses that mail leaves from are not known"
        why = (
            "SPF and reverse DNS are about them: set delivery.source_ipv4 and source_ipv6, give "
            f"{setup.hostname} addresses in the DNS, or say --address."
        )
        return [Finding("FCrDNS", Level.PROBLEM, text, why)]
    return [await _name(each, setup, resolver) for each in setup.addresses]


async def _name(address: str, setup: Setup, resolver: Resolver) -> Finding:
    wanted = (Record(reverse_name(address), "PTR", setup.hostname),)
    answer = await resolver.lookup(wanted[0].name, "PTR")
    if answer.status is AnswerStatus.FAILED:
        return no_answer("FCrDNS", answer)
    names = [record.lower() for record in answer.records]
    if not names:
        text = f"{address} has no name; who gave you the address can set it"
        return Finding("FCrDNS", Level.PROBLEM, text, _PTR_WHY, wanted)
    kind = "AAAA" if ":" in address else "A"
    for name in names[:MAX_HOSTS]:
        if address in (await resolver.lookup(name, kind)).records:
            if name == setup.hostname:
                return Finding("FCrDNS", Level.OK, f"{address} is {name}, and {name} is {address}")
            text = f"{address} is {name}, and we say that we are {setup.hostname}"
            why = "Some receivers want the name in EHLO to be that of the address."
            return Finding("FCrDNS", Level.WARNING, text, why, wanted)
    text = f"{address} is called {', '.join(names)}, which does not lead back to it"
    return Finding("FCrDNS", Level.PROBLEM, text, _PTR_WHY, wanted)


def no_answer(topic: str, answer: Answer) -> Finding:
    """Return the finding for a question that got no answer."""
    text = f"no answer to {answer.rdtype} {answer.name}: {answer.detail or 'failed'}"
    why = "Whoever gets no answer puts the mail off; after some days it comes back."
    return Finding(topic, Level.PROBLEM, text, why)
