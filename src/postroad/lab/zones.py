"""The records of a private DNS, and what they answer to a question: no sockets here.

The lab serves the root zone, so every name that was not added has an honest NXDOMAIN with a SOA
(RFC 2308), and nothing ever asks the real DNS. Zones can be added below it, for SOAs of their own.
"""

from collections.abc import Iterator
from typing import TypeAlias

import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.reversename
import dns.rrset
import dns.zone
from dns.rdataclass import IN
from dns.rdatatype import CNAME, SOA

_MAX_CNAMES = 16
_STAR = b"*"

_Node: TypeAlias = dict[dns.rdatatype.RdataType, dns.rdataset.Rdataset]


class Zones:
    """Zones and their records, by name. `ttl` is for records given without one, in seconds."""

    def __init__(self, ttl: int = 0) -> None:
        self.ttl = ttl
        self._nodes: dict[dns.name.Name, _Node] = {}
        self._origins: dict[dns.name.Name, int] = {}  # name -> serial
        self._signed: set[dns.name.Name] = set()
        self.add_zone(".")

    def add_zone(self, origin: str, text: str = "") -> None:
        """Serve a zone; `text` holds its records in master file form (RFC 1035 §5).

        A SOA is made where the text has none. Raises `dns.exception.DNSException` for text that is
        none.
        """
        name = _name(origin)
        if text.strip():
            zone = dns.zone.from_text(
                f"$TTL {self.ttl}\n{text}\n", origin=name, relativize=False, check_origin=False
            )
            for owner, node in zone.nodes.items():
                for rdataset in node.rdatasets:
                    self._nodes.setdefault(owner, {})[rdataset.rdtype] = rdataset
        self._origins[name] = 1
        if SOA not in self._nodes.setdefault(name, {}):
            self._write_soa(name)

    def sign(self, origin: str, signed: bool = True) -> None:
        """Vouch for a zone as a validating resolver does for one that DNSSEC signed: answers about names
        in it carry AD (RFC 4035 §3.2.3) where the client asks for it.
        """
        (self._signed.add if signed else self._signed.discard)(_name(origin))

    def remove_zone(self, origin: str) -> None:
        """Remove a zone with all names in it."""
        name = _name(origin)
        self._origins.pop(name, None)
        self._signed.discard(name)
        for owner in [owner for owner in self._nodes if owner.is_subdomain(name)]:
            del self._nodes[owner]

    def add(self, name: str, rdtype: str, *records: str, ttl: int | None = None) -> None:
        """Add records in presentation form: ``add("shop.test", "MX", "10 mx1.shop.test")``.

        Host names in records are absolute, with or without the trailing dot. TXT needs no quotes.
        """
        owner, kind = _name(name), dns.rdatatype.from_text(rdtype)
        node = self._nodes.setdefault(owner, {})
        rdataset = node.get(kind)
        if rdataset is None:
            rdataset = node[kind] = dns.rdataset.Rdataset(IN, kind)
        # The whole set has one TTL (RFC 2181): the last one said.
        rdataset.ttl = self.ttl if ttl is None else ttl
        for record in records:
            rdataset.items[_rdata(kind, record)] = None
        self._touch(owner)

    def replace(self, name: str, rdtype: str, *records: str, ttl: int | None = None) -> None:
        """Put these records in the place of all of that name and type; none: remove them."""
        self.remove(name, rdtype)
        if records:
            self.add(name, rdtype, *records, ttl=ttl)

    def remove(self, name: str, rdtype: str | None = None, *records: str) -> None:
        """Remove these records, or all of a type, or the name with all it has."""
        owner = _name(name)
        node = self._nodes.get(owner)
        if node is None:
            return
        if rdtype is None:
            del self._nodes[owner]
        else:
            kind = dns.rdatatype.from_text(rdtype)
            rdataset = node.get(kind)
            for record in records:
                if rdataset is not None:
                    rdataset.items.pop(_rdata(kind, record), None)
            if not records or not rdataset:
                node.pop(kind, None)
            if not node:
                del self._nodes[owner]
        self._touch(owner)

    def records(self, name: str, rdtype: str) -> list[str]:
        """Return the records of a name, in presentation form."""
        rdataset = self._nodes.get(_name(name), {}).get(dns.rdatatype.from_text(rdtype))
        return [rdata.to_text() for rdata in rdataset] if rdataset else []

    def __iter__(self) -> Iterator[str]:
        """All records, a line each, as a zone file has them."""
        for owner in sorted(self._nodes):
            for rdataset in self._nodes[owner].values():
                yield from rdataset.to_text(owner).splitlines()

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """Return the whole answer to a query (RFC 1034 §4.3.2)."""
        response = dns.message.make_response(query, recursion_available=True, our_payload=1232)
        if len(query.question) != 1 or query.opcode() != 0:
            response.set_rcode(dns.rcode.NOTIMP if query.opcode() else dns.rcode.FORMERR)
            return response
        question = query.question[0]
        if question.rdclass != IN:
            response.set_rcode(dns.rcode.REFUSED)
            return response
        response.flags |= dns.flags.AA
        if query.flags & dns.flags.AD or query.ednsflags & dns.flags.DO:
            response.flags |= dns.flags.AD
        name = question.name
        for _ in range(_MAX_CNAMES):
            if self._origin(name) not in self._signed:
                response.flags &= ~dns.flags.AD
            node = self._find(name)
            if node is None:
                # RFC 6604 §2: the rcode is that of the last name of a CNAME chain.
                response.set_rcode(dns.rcode.NXDOMAIN)
                break
            found = node.get(question.rdtype)
            if found is not None:
                response.answer.append(_rrset(name, found))
                return response
            alias = node.get(CNAME)
            if alias is None:
                break
            response.answer.append(_rrset(name, alias))
            target = alias[0]
            assert isinstance(target, dns.rdtypes.ANY.CNAME.CNAME)
            name = target.target
        origin = self._origin(name)
        response.authority.append(_rrset(origin, self._nodes[origin][SOA]))
        return response

    def _find(self, name: dns.name.Name) -> _Node | None:
        """Return the node of a name: itself, an empty one between others, or a wildcard's."""
        node = self._nodes.get(name)
        if node is not None:
            return node
        if any(owner.is_subdomain(name) for owner in self._nodes):
            return {}
        # RFC 4592 §3.3.1: the wildcard right below the closest encloser, and no other.
        closest = name
        while closest != dns.name.root:
            closest = closest.parent()
            if any(owner.is_subdomain(closest) for owner in self._nodes):
                break
        return self._nodes.get(dns.name.Name((_STAR, *closest.labels)))

    def _origin(self, name: dns.name.Name) -> dns.name.Name:
        while name not in self._origins:
            name = name.parent()
        return name

    def _touch(self, owner: dns.name.Name) -> None:
        origin = self._origin(owner)
        self._origins[origin] += 1
        self._write_soa(origin)

    def _write_soa(self, origin: dns.name.Name) -> None:
        serial = self._origins[origin]
        text = f"ns.lab. hostmaster.lab. {serial} 3600 600 86400 {self.ttl}"
        rdataset = dns.rdataset.from_text(IN, SOA, self.ttl, text)
        self._nodes.setdefault(origin, {})[SOA] = rdataset


def reverse_name(address: str) -> str:
    """Return the name of an address's PTR record."""
    return dns.reversename.from_address(address).to_text()


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


def _rdata(kind: dns.rdatatype.RdataType, text: str) -> dns.rdata.Rdata:
    if kind == dns.rdatatype.TXT and not text.startswith('"'):
        octets = text.encode()
        pieces = [octets[at : at + 255] for at in range(0, len(octets), 255)] or [b""]
        text = " ".join('"' + _escape(piece) + '"' for piece in pieces)
    return dns.rdata.from_text(IN, kind, text, origin=dns.name.root, relativize=False)


def _escape(octets: bytes) -> str:
    return "".join(
        chr(octet) if 32 <= octet < 127 and octet not in b'"\\' else f"\\{octet:03d}"
        for octet in octets
    )


def _rrset(name: dns.name.Name, rdataset: dns.rdataset.Rdataset) -> dns.rrset.RRset:
    rrset = dns.rrset.RRset(name, IN, rdataset.rdtype)
    rrset.update_ttl(rdataset.ttl)
    for rdata in rdataset:
        rrset.add(rdata, rdataset.ttl)
    return rrset
