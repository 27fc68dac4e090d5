"""From a DNS message to an `Answer`: follows CNAMEs, writes records in words, bounds it all."""

from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from msgspec import Struct

from postroad.ports import Answer, AnswerStatus


class Bounds(Struct, frozen=True):
    """What one answer may hold. Records beyond `records` are left out, for MX the least preferred."""

    records: int = 100
    text_octets: int = 65_535
    cnames: int = 8


class Chase:
    """A question on its way along CNAMEs, which may take several messages.

    `target` is the name to ask for next, `ttl` the least of the CNAMEs met so far.
    """

    def __init__(
        self, name: str, rdtype: str, target: dns.name.Name, wanted: dns.rdatatype.RdataType
    ) -> None:
        self.name = name
        self.rdtype = rdtype
        self.target = target
        self.wanted = wanted
        self.ttl = 2.0**31  # RFC 2181 §8: beyond any TTL
        self.seen = {target}
        self.authenticated = True

    def failed(self, detail: str) -> Answer:
        """Return the answer that says why there is none."""
        return Answer(self.name, self.rdtype, AnswerStatus.FAILED, detail=detail)

    def answer(self, status: AnswerStatus, records: tuple[str, ...], ttl: float) -> Answer:
        """Return what was found at the end of the chain."""
        return Answer(
            self.name,
            self.rdtype,
            status,
            records,
            ttl=min(ttl, self.ttl),
            canonical=_host(self.target),
            authenticated=self.authenticated,
        )


def read_answer(chase: Chase, response: dns.message.Message, bounds: Bounds) -> Answer | None:
    """Return the answer, None where the message ends in a CNAME whose target must be asked for."""
    chase.authenticated = chase.authenticated and bool(response.flags & dns.flags.AD)
    sets = {
        (rrset.name, rrset.rdtype): rrset
        for rrset in response.answer
        if rrset.rdclass == dns.rdataclass.IN
    }
    followed = False
    while True:
        found = sets.get((chase.target, chase.wanted))
        if found is not None:
            return _found(chase, found, bounds)
        cname = sets.get((chase.target, dns.rdatatype.CNAME))
        if cname is None:
            break
        chase.ttl = min(chase.ttl, cname.ttl)
        chase.target = next(iter(cname)).target
        if chase.target in chase.seen:
            return chase.failed(f"CNAME loop at {_host(chase.target)}")
        chase.seen.add(chase.target)
        if len(chase.seen) > bounds.cnames + 1:
            return chase.failed(f"more than {bounds.cnames} CNAMEs in a chain")
        followed = True
    if response.rcode() == dns.rcode.NXDOMAIN:
        # RFC 6604 §3: it speaks of the end of the chain.
        return chase.answer(AnswerStatus.NO_NAME, (), _negative_ttl(response))
    if followed and not _has_soa(response):
        return None
    return chase.answer(AnswerStatus.NO_DATA, (), _negative_ttl(response))


def _found(chase: Chase, rrset: dns.rrset.RRset, bounds: Bounds) -> Answer:
    records: list[Any] = list(rrset)
    if chase.wanted == dns.rdatatype.MX:
        records.sort(key=lambda record: record.preference)
    del records[bounds.records :]
    write = _WRITERS.get(chase.wanted, _as_text)
    texts = tuple(map(write, records))
    if sum(map(len, texts)) > bounds.text_octets:
        return chase.failed(f"more than {bounds.text_octets} octets of {chase.rdtype} records")
    return chase.answer(AnswerStatus.FOUND, texts, rrset.ttl)


def _has_soa(response: dns.message.Message) -> bool:
    return any(rrset.rdtype == dns.rdatatype.SOA for rrset in response.authority)


def _negative_ttl(response: dns.message.Message) -> float:
    """RFC 2308 §5: the lesser of the SOA's TTL and its minimum; without one, not to be cached."""
    for rrset in response.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            soa: Any = next(iter(rrset))
            return float(min(rrset.ttl, soa.minimum))
    return 0.0


def _host(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _address(record: Any) -> str:
    address: str = record.address
    return address


def _target(record: Any) -> str:
    return _host(record.target)


def _mx(record: Any) -> str:
    return f"{record.preference} {_host(record.exchange)}"


def _txt(record: Any) -> str:
    return b"".join(record.strings).decode("utf-8", "replace")


def _as_text(record: Any) -> str:
    text: str = record.to_text()
    return text


_WRITERS: dict[dns.rdatatype.RdataType, Callable[[Any], str]] = {
    dns.rdatatype.A: _address,
    dns.rdatatype.AAAA: _address,
    dns.rdatatype.MX: _mx,
    dns.rdatatype.TXT: _txt,
    dns.rdatatype.PTR: _target,
    dns.rdatatype.CNAME: _target,
    dns.rdatatype.NS: _target,
}
