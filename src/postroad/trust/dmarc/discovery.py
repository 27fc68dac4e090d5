"""Finding policy records and organisational domains in the DNS (RFC 9989 §4.10).

One `Explorer` serves one message: it asks for each name once, whatever is asked of it. A walk is at most
eight look-ups.
"""

from collections.abc import Iterator

from msgspec import Struct

from postroad.ports import AnswerStatus, Resolver
from postroad.trust.dmarc.record import DmarcRecord, PublicSuffix, is_dmarc, read_dmarc_record
from postroad.trust.dmarc.result import Discovery
from postroad.trust.dmarc.suffixes import registered_domain

MAX_LOOKUPS_PER_WALK = 8
_MAX_NAME_OCTETS = 253
_PREFIX = "_dmarc."


class DnsFailed(Exception):
    """The DNS did not answer; the message says which name and why."""


class Published(Struct, frozen=True):
    """The policy record that applies to a domain, and where it was found."""

    domain: str
    record: DmarcRecord


class Explorer:
    """Asks the DNS for DMARC records, each once."""

    def __init__(self, resolver: Resolver, discovery: Discovery) -> None:
        self._resolver = resolver
        self._discovery = discovery
        self._records: dict[str, DmarcRecord | DnsFailed | None] = {}
        self._organizational: dict[str, str] = {}
        self.notes: list[str] = []

    async def policy(self, domain: str) -> Published | None:
        """Return the record that applies to an author's domain (RFC 9989 §4.10.1, RFC 7489 §6.6.3).

        That is its own, else that of its organisational domain, else that of the public suffix above.
        Raises `DnsFailed`.
        """
        own = await self.record(domain)
        if own is not None:
            return Published(domain, own)
        organizational = await self.organizational_domain(domain)
        found = await self.record(organizational)
        if found is not None:
            return Published(organizational, found)
        if self._discovery is Discovery.SUFFIX_LIST:
            return None
        for name in walk(organizational):
            above = await self.record(name)
            if above is not None and above.psd is PublicSuffix.YES:
                return Published(name, above)
        return None

    async def organizational_domain(self, domain: str) -> str:
        """Return the organisational domain of a domain (RFC 9989 §4.10.2). Raises `DnsFailed`."""
        known = self._organizational.get(domain)
        if known is None:
            if self._discovery is Discovery.SUFFIX_LIST:
                known = registered_domain(domain) or domain
            else:
                known = await self._walk(domain)
            self._organizational[domain] = known
        return known

    def known_organizational_domain(self, domain: str) -> str:
        """Return the organisational domain if something asked for it before, else ``""``."""
        return self._organizational.get(domain, "")

    async def exists(self, domain: str) -> bool:
        """Whether the DNS knows the name: not NXDOMAIN (RFC 9989 §3.2.13). Raises `DnsFailed`."""
        answer = await self._resolver.lookup(domain, "A")
        if answer.status is AnswerStatus.FAILED:
            raise DnsFailed(f"A of {domain}: {answer.detail or 'no answer'}")
        return answer.status is not AnswerStatus.NO_NAME

    async def record(self, domain: str) -> DmarcRecord | None:
        """Return the one DMARC record that is published for the domain itself. Raises `DnsFailed`."""
        if domain in self._records:
            known = self._records[domain]
        else:
            known = self._records[domain] = await self._ask(domain)
        if isinstance(known, DnsFailed):
            raise known
        return known

    async def _walk(self, domain: str) -> str:
        found = domain
        for name in walk(domain):
            record = await self.record(name)
            if record is None:
                continue
            if record.psd is PublicSuffix.NO:
                return name
            if record.psd is PublicSuffix.YES:
                if name == domain:
                    return domain
                labels = domain.split(".")
                return ".".join(labels[-name.count(".") - 2 :])
            found = name
        return found

    async def _ask(self, domain: str) -> DmarcRecord | DnsFailed | None:
        name = _PREFIX + domain
        if len(name) > _MAX_NAME_OCTETS:
            return None
        answer = await self._resolver.lookup(name, "TXT")
        if answer.status is AnswerStatus.FAILED:
            return DnsFailed(f"TXT of {name}: {answer.detail or 'no answer'}")
        texts = [text for text in answer.records if is_dmarc(text)]
        if len(texts) > 1:
            self.notes.append(f"{name} has {len(texts)} DMARC records; none of them counts")
            return None
        if not texts:
            return None
        record = read_dmarc_record(texts[0])
        if record is None:
            self.notes.append(f"the DMARC record of {name} is too long; it does not count")
        return record


def walk(domain: str) -> Iterator[str]:
    """Yield the domains of a tree walk, the domain itself first (RFC 9989 §4.10)."""
    yield domain
    labels = domain.split(".")
    keep = min(len(labels), MAX_LOOKUPS_PER_WALK) - 1
    for count in range(keep, 0, -1):
        yield ".".join(labels[-count:])
