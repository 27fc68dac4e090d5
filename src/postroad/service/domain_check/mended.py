"""The records of a domain as they should be, with as little changed as can be in what is published.

What is there was decided by somebody: a stricter policy, a sender beside us, an address for reports. It
stays, but for terms and tags that nobody can read.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from postroad.model import Address
from postroad.ports import Answer, AnswerStatus, Resolver
from postroad.service.domain_check.finding import Record
from postroad.service.domain_check.setup import (
    Setup,
    dmarc_record,
    helo_spf_record,
    spf_record,
    spf_term,
    tls_report_record,
    wanted_records,
)
from postroad.trust.dmarc import (
    Discovery,
    DnsFailed,
    Explorer,
    Policy,
    ReportUri,
    is_dmarc,
    read_dmarc_record,
)
from postroad.trust.spf import InvalidRecord, SpfResult, check_spf, is_spf, read_record
from postroad.trust.tls_report import parse_rua

_STRANGER = "203.0.113.251"  # RFC 5737: nobody sends from there


class Proposal(Struct, frozen=True):
    """`records` are all that a domain should publish; `unknown` are questions without an answer: of
    these names another record than the proposed one may be there.
    """

    records: tuple[Record, ...]
    unknown: tuple[str, ...] = ()


async def fitting_records(domain: str, setup: Setup, resolver: Resolver) -> Proposal:
    """Return the wanted records, with what is published kept wherever it does."""
    unknown: list[str] = []
    changed: dict[Record, Record | None] = {}
    for fresh, propose in (
        (spf_record(domain, setup), mended_spf(domain, setup, resolver)),
        (helo_spf_record(setup), _helo_spf(setup, resolver)),
        (dmarc_record(domain, setup), mended_dmarc(domain, setup, resolver)),
        (tls_report_record(domain, setup), mended_tls_reports(domain, setup, resolver)),
    ):
        try:
            changed[fresh] = await propose
        except DnsFailed as error:
            unknown.append(str(error))
    records = [changed.get(each, each) for each in wanted_records(domain, setup)]
    return Proposal(tuple(each for each in records if each is not None), tuple(unknown))


async def mended_spf(domain: str, setup: Setup, resolver: Resolver) -> Record:
    """Return the SPF record that lets our addresses send: the one that is there, with ours in front and
    without terms that cannot be read; a fresh one where that would not do. Raises `DnsFailed`.
    """
    fresh = spf_record(domain, setup)
    found = await _published(resolver, domain, is_spf)
    if len(found) != 1:
        return fresh
    sender = Address("postmaster", domain)
    proposed = Record(domain, "TXT", found[0])
    if await _lets_send(proposed, sender, setup, resolver):
        return proposed
    _, *words = found[0].split()
    words = [each for each in words if _readable(each)]
    ours = [term for each in setup.addresses if (term := spf_term(each)) not in words]
    proposed = Record(domain, "TXT", " ".join(["v=spf1", *ours, *words]))
    return proposed if await _lets_send(proposed, sender, setup, resolver) else fresh


async def mended_dmarc(domain: str, setup: Setup, resolver: Resolver) -> Record | None:
    """Return the DMARC record: the one that is there, with a policy that asks for something and an
    address for reports. None: the domain above has one that does. Raises `DnsFailed`.
    """
    fresh = dmarc_record(domain, setup)
    found = await _published(resolver, fresh.name, is_dmarc)
    if found:
        return dmarc_from(found[0], fresh, setup.reports_to) if len(found) == 1 else fresh
    above = await Explorer(resolver, Discovery.TREE_WALK).policy(domain)
    if above is None:
        return fresh
    record = above.record
    policy = record.p if record.sp is None else record.sp
    return None if policy is not Policy.NONE and not record.problems else fresh


def dmarc_from(text: str, fresh: Record, reports_to: str = "") -> Record:
    """Return a published record as it should be, under the name of `fresh`: without tags that cannot be
    read, with the policy and the address for reports of `fresh` where it has none, and with
    `reports_to` beside the addresses that it has.
    """
    defaults = _tags(fresh.data)
    tags: dict[str, str] = {}
    for name, value in _tags(text).items():
        read = read_dmarc_record(f"v=DMARC1; {'' if name == 'p' else 'p=none; '}{name}={value}")
        if read is None:
            continue
        if name in ("rua", "ruf"):
            value = ",".join(map(_written, read.rua or read.ruf))
        elif read.problems:
            continue
        if value:
            tags[name] = value
    if tags.get("p", "none").lower() == "none":
        tags["p"] = defaults["p"]
    tags.setdefault("rua", defaults["rua"])
    if reports_to and f"mailto:{reports_to}" not in tags["rua"].split(","):
        tags["rua"] += f",mailto:{reports_to}"
    ordered = {"p": tags.pop("p")} | tags
    data = "; ".join(["v=DMARC1", *(f"{name}={value}" for name, value in ordered.items())])
    return replace(fresh, data=data)


def _tags(text: str) -> dict[str, str]:
    """The tags behind the version; of one that is there twice the first counts."""
    tags: dict[str, str] = {}
    for piece in text.split(";")[1:]:
        name, equals, value = piece.partition("=")
        if equals:
            tags.setdefault(name.strip().lower(), value.strip())
    return tags


def _written(uri: ReportUri) -> str:
    return uri.uri if uri.max_octets is None else f"{uri.uri}!{uri.max_octets}"


def _readable(term: str) -> bool:
    try:
        read_record(f"v=spf1 {term}")
    except InvalidRecord:
        return False
    return True


async def _helo_spf(setup: Setup, resolver: Resolver) -> Record | None:
    """What is published for our host name stays, where it can be read."""
    fresh = helo_spf_record(setup)
    found = await _published(resolver, fresh.name, is_spf)
    if len(found) != 1 or not all(map(_readable, found[0].split()[1:])):
        return fresh
    return Record(fresh.name, "TXT", found[0])


async def mended_tls_reports(domain: str, setup: Setup, resolver: Resolver) -> Record:
    """Return the record that asks for TLS reports: the one that is there, where it can be read, with
    ``setup.reports_to`` added. Raises `DnsFailed`.
    """
    fresh = tls_report_record(domain, setup)
    found = await _published(resolver, fresh.name, lambda text: text.startswith("v=TLSRPTv1"))
    places = parse_rua(found)
    if len(found) != 1 or not places:
        return fresh
    added = f"mailto:{setup.reports_to}"
    if not setup.reports_to or added in places:
        return Record(fresh.name, "TXT", found[0])
    return Record(fresh.name, "TXT", f"v=TLSRPTv1; rua={','.join([*places, added])}")


async def _published(resolver: Resolver, name: str, ours: Callable[[str], bool]) -> Sequence[str]:
    answer = await resolver.lookup(name, "TXT")
    if answer.status is AnswerStatus.FAILED:
        raise DnsFailed(f"no answer to TXT {name}: {answer.detail or 'failed'}")
    return [text for text in answer.records if ours(text)]


async def _lets_send(proposed: Record, sender: Address, setup: Setup, resolver: Resolver) -> bool:
    """Whether the record, were it published, let each of our addresses pass and not everybody."""
    supposed = _Supposing(proposed, resolver)
    for address in setup.addresses:
        check = await check_spf(supposed, ip=address, helo=setup.hostname, sender=sender)
        if check.result is not SpfResult.PASS:
            return False
    check = await check_spf(supposed, ip=_STRANGER, helo="stranger.invalid", sender=sender)
    return check.result not in (SpfResult.PASS, SpfResult.PERMERROR)


class _Supposing:
    """A resolver for which a record is published already."""

    def __init__(self, record: Record, resolver: Resolver) -> None:
        self._record = record
        self._resolver = resolver

    async def lookup(self, name: str, rdtype: str) -> Answer:
        """Return the record in place of what is there."""
        if (name, rdtype) == (self._record.name, "TXT"):
            return Answer(name, rdtype, AnswerStatus.FOUND, (self._record.data,))
        return await self._resolver.lookup(name, rdtype)
