"""From a domain to the hosts that take its mail (RFC 5321 §5.1).

Raises `RouteFailed` where there are none: for good where the DNS says so, for now where the DNS does
not answer. What was asked and answered is kept as lines an operator can read.
"""

import asyncio
import ipaddress
from collections.abc import Sequence

from msgspec import Struct

from postroad.delivery.guard import refusal
from postroad.delivery.settings import DeliverySettings, IpPreference
from postroad.model import Host, Reply, Step
from postroad.ports import Answer, AnswerStatus, Entropy, Resolver, RouteFailed

_LOCALHOST = {"A": ("127.0.0.1",), "AAAA": ("::1",)}
_MAX_LINE = 500


class Hosts(Struct, frozen=True):
    """What the DNS came to: hosts in the order to be tried, how long it holds, what was said."""

    hosts: tuple[Host, ...]
    ttl: float
    lookups: tuple[str, ...]


class _Found(Struct, frozen=True):
    """A host and what became of its address look-ups."""

    host: Host
    ttl: float
    line: str
    ours: bool = False
    failed: bool = False  # nothing is known: try again later


class HostFinder:
    """Asks the DNS where mail goes."""

    def __init__(self, resolver: Resolver, entropy: Entropy, settings: DeliverySettings) -> None:
        self._resolver = resolver
        self._entropy = entropy
        self._settings = settings

    async def by_mx(self, domain: str) -> Hosts:
        """Return the hosts for `domain` by its MX records, or its own addresses where it has none.

        Raises `RouteFailed`.
        """
        answer = await self._resolver.lookup(domain, "MX")
        if answer.status is AnswerStatus.FAILED:
            line = f"MX of {domain}: look-up failed ({answer.detail})"
            raise _failed(451, "4.4.3", f"DNS look-up of {domain} failed: {answer.detail}", [line])
        if answer.status is AnswerStatus.NO_NAME:
            line = f"MX of {domain}: no such domain (NXDOMAIN); ttl {answer.ttl:.0f} s"
            raise _failed(550, "5.1.2", f"domain {domain} does not exist", [line])
        if answer.status is AnswerStatus.NO_DATA:
            return await self._by_addresses(domain, answer)
        exchanges = self._exchanges(answer)
        if not exchanges:
            line = f"MX of {domain}: null MX; ttl {answer.ttl:.0f} s"
            text = f"domain {domain} takes no mail (null MX, RFC 7505)"
            raise _failed(556, "5.1.10", text, [line])
        secure = answer.authenticated
        found = await asyncio.gather(
            *(self._host(name, preference, secure=secure) for preference, name in exchanges)
        )
        listed = ", ".join(f"{item.host.preference} {item.line}" for item in found)
        alias = f" (alias of {answer.canonical})" if answer.canonical != domain else ""
        left_out = len(answer.records) - len(exchanges)
        more = f", {left_out} more not used" if left_out > 0 else ""
        line = f"MX of {domain}{alias}: {listed}{more}; ttl {answer.ttl:.0f} s"
        return self._usable(domain, found, answer.ttl, [line[:_MAX_LINE]])

    async def _by_addresses(self, domain: str, answer: Answer) -> Hosts:
        """RFC 5321 §5.1: without MX records the domain itself is the host, at preference 0."""
        found = await self._host(domain, 0, secure=answer.authenticated)
        lines = [
            f"MX of {domain}: none; ttl {answer.ttl:.0f} s",
            f"addresses of {found.line}; ttl {found.ttl:.0f} s",
        ]
        return self._usable(domain, [found], min(answer.ttl, found.ttl), lines)

    async def by_name(self, host: str) -> Hosts:
        """Return the addresses of a host that an operator named. Raises `RouteFailed`."""
        found = await self._host(host, 0, trusted=True)
        lines = [f"addresses of {found.line}; ttl {found.ttl:.0f} s"]
        if not found.host.addresses:
            text = f"{host}: {found.host.problem}"
            if found.failed:
                raise _failed(451, "4.4.3", text, lines)
            # The operator's mistake, not the recipient's: mail waits until it is mended.
            raise _failed(451, "4.4.4", text, lines)
        return Hosts((found.host,), found.ttl, tuple(lines))

    def by_literal(self, address: str, *, trusted: bool = False) -> Hosts:
        """Return the one host of an address literal. Raises `RouteFailed`."""
        problem = None
        if not trusted:
            problem = refusal(address, allow_private=self._settings.allow_private)
        if not trusted and (address, self._settings.port) in self._settings.own_endpoints:
            raise _failed(554, "5.4.6", f"address {address} is this server: mail loop", [])
        if problem is not None:
            raise _failed(550, "5.4.4", problem, [])
        return Hosts((Host(address, 0, (address,)),), float("inf"), ())

    def _exchanges(self, answer: Answer) -> list[tuple[int, str]]:
        """Return (preference, name), best first, random among equals, as many as we would try."""
        exchanges: dict[str, int] = {}
        for record in answer.records:
            preference_text, _, name = record.partition(" ")
            if name not in (".", ""):
                preference = int(preference_text)
                exchanges[name] = min(preference, exchanges.get(name, preference))
        ordered = [(preference, name) for name, preference in exchanges.items()]
        self._entropy.shuffle(ordered)
        ordered.sort(key=lambda item: item[0])
        return ordered[: self._settings.max_hosts]

    async def _host(
        self, name: str, preference: int, *, trusted: bool = False, secure: bool = False
    ) -> _Found:
        """Look up all addresses of a host; `trusted` names come from an operator, not the DNS.

        `secure`: DNSSEC vouches for the name.
        """
        if _is_number(name):
            return _Found(
                Host(name, preference, (), "an IP address in place of a host name"),
                0.0,
                f"{name} (not a host name)",
            )
        answers = await self._addresses(name)
        addresses = [address for answer in answers for address in answer.records]
        ttl = min((answer.ttl for answer in answers), default=0.0)
        line = f"{name} ({_words(answers)})"
        if not addresses:
            failed = [a for a in answers if a.status is AnswerStatus.FAILED]
            if failed:
                problem = f"address look-up failed ({failed[0].detail})"
            elif any(answer.status is AnswerStatus.NO_NAME for answer in answers):
                problem = "no address (NXDOMAIN)"
            else:
                problem = "no address"
            host = Host(name, preference, (), problem)
            return _Found(host, ttl, line, self._is_own(name, answers), failed=bool(failed))
        there = [answer for answer in answers if answer.records]
        if trusted:
            host = Host(
                name,
                preference,
                tuple(addresses),
                secure=all(answer.authenticated for answer in there),
                canonical=there[0].canonical,
            )
            return _Found(host, ttl, line)
        problem = ""
        usable = []
        for address in addresses:
            reason = refusal(address, allow_private=self._settings.allow_private)
            if reason is None:
                usable.append(address)
            else:
                problem = reason
        del usable[self._settings.max_addresses_per_host :]
        # The problem of one address is none of a host that has others.
        host = Host(
            name,
            preference,
            tuple(usable),
            "" if usable else problem,
            secure=secure and all(answer.authenticated for answer in there),
            canonical=there[0].canonical,
        )
        return _Found(host, ttl, line, self._is_own(name, answers))

    async def _addresses(self, name: str) -> list[Answer]:
        types = _TYPES[self._settings.ip_preference]
        if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 §6.3
            return [
                Answer(name, rdtype, AnswerStatus.FOUND, _LOCALHOST[rdtype], ttl=60.0)
                for rdtype in types
            ]
        return list(
            await asyncio.gather(*(self._resolver.lookup(name, rdtype) for rdtype in types))
        )

    def _is_own(self, name: str, answers: Sequence[Answer]) -> bool:
        settings = self._settings
        if name in settings.own_names:
            return True
        return any(
            answer.canonical in settings.own_names
            or any((address, settings.port) in settings.own_endpoints for address in answer.records)
            for answer in answers
        )

    def _usable(self, domain: str, found: Sequence[_Found], ttl: float, lines: list[str]) -> Hosts:
        """Drop ourselves and what is not better than us; raise where nothing can be connected to."""
        ours = [item.host.preference for item in found if item.ours]
        if ours:
            limit = min(ours)
            found = [item for item in found if item.host.preference < limit]
            lines.append(
                f"this server is an MX of {domain} at preference {limit}: only better ones are used"
            )
            if not found:
                raise _failed(554, "5.4.6", f"mail for {domain} loops back to this server", lines)
        if not any(item.host.addresses for item in found):
            _raise_unreachable(domain, found, lines)
        ttl = min([ttl, *(item.ttl for item in found)])
        return Hosts(tuple(item.host for item in found), ttl, tuple(lines))


_TYPES: dict[IpPreference, tuple[str, ...]] = {
    IpPreference.IPV4_FIRST: ("A", "AAAA"),
    IpPreference.IPV6_FIRST: ("AAAA", "A"),
    IpPreference.IPV4_ONLY: ("A",),
    IpPreference.IPV6_ONLY: ("AAAA",),
}


def _raise_unreachable(domain: str, found: Sequence[_Found], lines: list[str]) -> None:
    problems = "; ".join(f"{item.host.name}: {item.host.problem}" for item in found)[:_MAX_LINE]
    if any(item.failed for item in found):
        raise _failed(451, "4.4.4", f"no host for {domain} could be looked up: {problems}", lines)
    raise _failed(550, "5.4.4", f"no usable host for {domain}: {problems}", lines)


def _failed(code: int, enhanced: str, text: str, lines: Sequence[str]) -> RouteFailed:
    return RouteFailed(
        Reply(code, enhanced, printable(text)), tuple(Step(0.0, "lookup", line) for line in lines)
    )


def printable(text: str) -> str:
    """Return `text` fit for a reply: names in the DNS and errors may hold anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _words(answers: Sequence[Answer]) -> str:
    words = []
    for answer in answers:
        if answer.records:
            words.append(f"{answer.rdtype} {', '.join(answer.records[:8])}")
        elif answer.status is AnswerStatus.FAILED:
            words.append(f"{answer.rdtype} look-up failed: {answer.detail}")
    if words:
        return "; ".join(words)
    if any(answer.status is AnswerStatus.NO_NAME for answer in answers):
        return "no such name"
    return "no address"
