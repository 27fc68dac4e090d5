"""What one SPF check knows and has used up: the client, the sender, look-ups made, the steps taken."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from postroad.model import Address
from postroad.ports import Answer, AnswerStatus, Resolver
from postroad.trust.spf.macro import MAX_DOMAIN_OCTETS, MacroString, MacroValues, expand_domain
from postroad.trust.spf.result import SpfLimits, SpfResult, SpfStep

MAX_STEPS = 500
_MAX_LABEL_OCTETS = 63


class Stopped(Exception):
    """The check ends here, with `result` (temperror or permerror) and the reason."""

    def __init__(self, result: SpfResult, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


class Session:
    """One check. `expired` is asked before each look-up whether its time is over."""

    def __init__(
        self,
        resolver: Resolver,
        ip: str,
        sender: Address,
        helo: str,
        limits: SpfLimits,
        expired: Callable[[], bool] | None,
        explain: bool,
    ) -> None:
        address = ip_address(ip)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # RFC 7208 §5: it counts as IPv4
        self.address = address
        self.number = int(address)
        self.is_ip4 = isinstance(address, IPv4Address)
        self.address_type = "A" if self.is_ip4 else "AAAA"
        self.sender = sender
        self.helo = helo
        self.terms = 0
        self.voids = 0
        self.steps: list[SpfStep] = []
        self.limits = limits
        self._resolver = resolver
        self._expired = expired
        self._explain = explain
        self._validated: list[str] | None = None

    def note(self, depth: int, domain: str, text: str) -> None:
        """Add a step, where steps are wanted. Check `explains` before building a costly text."""
        if self._explain and len(self.steps) < MAX_STEPS:
            self.steps.append(SpfStep(depth, domain, text))

    @property
    def explains(self) -> bool:
        """Whether steps are wanted."""
        return self._explain

    def count_term(self) -> None:
        """Count a term that asks the DNS (RFC 7208 §4.6.4). Raises `Stopped`."""
        self.terms += 1
        if self.terms > self.limits.terms:
            raise Stopped(
                SpfResult.PERMERROR,
                f"more than {self.limits.terms} terms that need the DNS",
            )

    def count_void(self, answer: Answer) -> None:
        """Count a term that asked in vain (RFC 7208 §4.6.4). Raises `Stopped`."""
        if answer.status is AnswerStatus.FOUND:
            return
        self.voids += 1
        if self.voids > self.limits.voids:
            raise Stopped(
                SpfResult.PERMERROR,
                f"more than {self.limits.voids} look-ups without an answer",
            )

    async def ask(self, name: str, rdtype: str) -> Answer:
        """Ask the DNS; a name that no DNS could hold does not exist (RFC 7208 §4.3)."""
        if self._expired is not None and self._expired():
            raise Stopped(SpfResult.TEMPERROR, "the check took too long")
        if not is_dns_name(name):
            return Answer(name, rdtype, AnswerStatus.NO_NAME)
        return await self._resolver.lookup(name.replace("\\", "\\\\"), rdtype)

    async def ask_or_stop(self, name: str, rdtype: str) -> Answer:
        """As `ask`; a failure ends the check with temperror (RFC 7208 §5). Raises `Stopped`."""
        answer = await self.ask(name, rdtype)
        if answer.status is AnswerStatus.FAILED:
            why = answer.detail or "no answer"
            raise Stopped(SpfResult.TEMPERROR, f"{rdtype} of {name} could not be asked: {why}")
        return answer

    async def target(self, spec: MacroString | None, domain: str) -> str | None:
        """Return the target-name of a term (RFC 7208 §4.8); None where it can match nothing, because the
        local part has no place in the DNS (RFC 8616 §4).
        """
        if spec is None:
            return domain
        if not spec.letters:
            return expand_domain(spec, _NO_VALUES)
        if not self.sender.is_ascii and spec.letters & {"s", "l"}:
            return None
        if "p" in spec.letters and self._validated is None:
            self.count_term()
        return expand_domain(spec, await self.values(spec, domain))

    async def values(
        self, spec: MacroString, domain: str, receiver: str = "unknown", at: int = 0
    ) -> MacroValues:
        """Return what the macros of `spec` stand for in a record of `domain`."""
        address = self.address
        return MacroValues(
            sender=f"{self.sender.local_part}@{self.sender.domain}",
            local_part=self.sender.local_part,
            sender_domain=self.sender.domain,
            domain=domain,
            dotted=str(address) if self.is_ip4 else ".".join(f"{self.number:032X}"),
            readable=str(address),
            family="in-addr" if self.is_ip4 else "ip6",
            helo=self.helo,
            validated=await self._validated_name(domain) if "p" in spec.letters else "unknown",
            receiver=receiver,
            at=at,
        )

    async def validated_names(self) -> list[str]:
        """Return the client's names that point back to it (RFC 7208 §5.5). Asked once in a check;
        failures only make it have fewer names.
        """
        if self._validated is not None:
            return self._validated
        self._validated = []
        answer = await self.ask(self.address.reverse_pointer, "PTR")
        if answer.status is not AnswerStatus.FAILED:
            self.count_void(answer)
        for record in answer.records[: self.limits.names]:
            name = record.removesuffix(".").lower()
            pointed = await self.ask(name, self.address_type)
            if self.holds(pointed, 0):
                self._validated.append(name)
        return self._validated

    def holds(self, answer: Answer, shift: int) -> bool:
        """Whether an address in the answer is that of the client, its last `shift` bits aside."""
        mine = self.number >> shift
        for record in answer.records:
            try:
                theirs = int(ip_address(record))
            except ValueError:
                continue
            if theirs >> shift == mine:
                return True
        return False

    async def _validated_name(self, domain: str) -> str:
        """RFC 7208 §7.3: the domain itself before a name under it before any other."""
        names = await self.validated_names()
        if domain in names:
            return domain
        under = f".{domain}"
        for name in names:
            if name.endswith(under):
                return name
        return names[0] if names else "unknown"


def is_dns_name(name: str) -> bool:
    """Whether the DNS could be asked for it (RFC 1035 §2.3.4), by lengths and printable ASCII."""
    return (
        0 < len(name) <= MAX_DOMAIN_OCTETS
        and name.isascii()
        and name.isprintable()
        and all(0 < len(label) <= _MAX_LABEL_OCTETS for label in name.split("."))
    )


_NO_VALUES = MacroValues("", "", "", "", "", "", "", "")
