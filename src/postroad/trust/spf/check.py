"""check_host() of RFC 7208 §4: does this client send for this domain?

Nothing is raised for what the DNS says: a record that is wrong is a permerror, a DNS that does not
answer a temperror, both with the reason.
"""

from collections.abc import Callable

from postroad.model import Address, InvalidAddress, domain_to_ascii
from postroad.ports import AnswerStatus, Resolver
from postroad.trust.spf.macro import (
    InvalidMacro,
    MacroString,
    expand,
    read_macro_string,
)
from postroad.trust.spf.record import (
    InvalidRecord,
    Kind,
    Mechanism,
    SpfRecord,
    is_spf,
    read_record,
)
from postroad.trust.spf.result import Identity, SpfCheck, SpfLimits, SpfResult
from postroad.trust.spf.session import Session, Stopped, is_dns_name

MAX_EXPLANATION_OCTETS = 512
_MAX_EXPLANATION_TEXT = 1024
_DEFAULT_LIMITS = SpfLimits()


async def check_spf(
    resolver: Resolver,
    *,
    ip: str,
    helo: str,
    sender: Address | None,
    identity: Identity = Identity.MAIL_FROM,
    receiver: str = "unknown",
    at: float = 0.0,
    limits: SpfLimits = _DEFAULT_LIMITS,
    expired: Callable[[], bool] | None = None,
    explain: bool = False,
) -> SpfCheck:
    """Check the MAIL FROM identity (RFC 7208 §2.4) or that of HELO (§2.3).

    `ip` is the client's address and must be one (`ValueError`); a null `sender` is postmaster at the
    HELO name. `receiver` and `at` (seconds since 1970) are for macros in explanations. `expired` is
    asked before each look-up whether the time for this check is over, which is then a temperror;
    §4.6.4 asks for 20 seconds at least. With `explain` the steps are told.
    """
    helo = _ascii(helo)
    if identity is Identity.HELO or sender is None:
        sender = Address("postmaster", helo.lower())
    elif not sender.local_part:
        sender = Address("postmaster", sender.domain)  # RFC 7208 §4.3
    domain = sender.domain.removesuffix(".").lower()
    session = Session(resolver, ip, sender, helo, limits, expired, explain)
    explanation = ""
    if not is_dns_name(domain) or "." not in domain or domain.startswith("["):
        outcome = _Outcome(SpfResult.NONE, f"{domain[:80]!r} is no domain that could have a record")
        session.note(0, domain[:80], outcome.reason)
    else:
        try:
            outcome = await _Evaluation(session).check_host(domain, 0)
        except Stopped as stopped:
            outcome = _Outcome(stopped.result, stopped.reason)
            session.note(0, domain, f"{stopped.result.value}: {stopped.reason}")
        if outcome.result is SpfResult.FAIL and outcome.explanation is not None:
            explanation = await _explanation(session, outcome, receiver, int(at))
    return SpfCheck(
        result=outcome.result,
        identity=identity,
        domain=domain,
        sender=f"{sender.local_part}@{sender.domain}",
        helo=helo,
        ip=str(session.address),
        reason=outcome.reason,
        term=outcome.term,
        explanation=explanation,
        terms=session.terms,
        voids=session.voids,
        steps=tuple(session.steps),
    )


class _Outcome:
    """What the record of a domain comes to. `domain` is where the record was, after redirects."""

    __slots__ = ("domain", "explanation", "reason", "result", "term")

    def __init__(
        self,
        result: SpfResult,
        reason: str,
        term: str = "",
        domain: str = "",
        explanation: MacroString | None = None,
    ) -> None:
        self.result = result
        self.reason = reason
        self.term = term
        self.domain = domain
        self.explanation = explanation


class _Evaluation:
    """Goes through records. Depth is bounded by the number of terms that may ask the DNS."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._matchers = {
            Kind.A: self._a,
            Kind.MX: self._mx,
            Kind.PTR: self._ptr,
            Kind.EXISTS: self._exists,
        }

    async def check_host(self, domain: str, depth: int) -> _Outcome:
        """RFC 7208 §4.4 to §4.7. Raises `Stopped`."""
        session = self._session
        answer = await session.ask_or_stop(domain, "TXT")
        if depth:
            session.count_void(answer)
        found = [text for text in answer.records if is_spf(text)]
        if not found:
            session.note(depth, domain, "has no SPF record")
            return _Outcome(SpfResult.NONE, f"{domain} has no SPF record", domain=domain)
        if len(found) > 1:
            raise Stopped(SpfResult.PERMERROR, f"{domain} has {len(found)} SPF records, not one")
        session.note(depth, domain, f"record {found[0][:1000]}")
        try:
            record = read_record(found[0])
        except InvalidRecord as error:
            raise Stopped(
                SpfResult.PERMERROR, f"the SPF record of {domain} is wrong: {error}"
            ) from None
        return await self._evaluate(domain, record, depth)

    async def _evaluate(self, domain: str, record: SpfRecord, depth: int) -> _Outcome:
        session = self._session
        for mechanism in record.mechanisms:
            if await self._matches(mechanism, domain, depth):
                result = mechanism.result
                reason = f"{mechanism.text} of {domain} matches {session.address}"
                session.note(depth, domain, f"{mechanism.text} matches: {result.value}")
                return _Outcome(result, reason, mechanism.text, domain, record.explanation)
            if session.explains:
                session.note(depth, domain, f"{mechanism.text} does not match")
        if record.redirect is not None:
            return await self._redirect(domain, record.redirect, depth)
        session.note(depth, domain, "no term matches: neutral")
        reason = f"no term of {domain} matches {session.address}"
        return _Outcome(SpfResult.NEUTRAL, reason, domain=domain)

    async def _redirect(self, domain: str, spec: MacroString, depth: int) -> _Outcome:
        """RFC 7208 §6.1."""
        self._session.count_term()
        target = await self._session.target(spec, domain)
        self._session.note(depth, domain, f"redirect={spec.text} goes on at {target}")
        if target is not None:
            outcome = await self.check_host(target.lower(), depth + 1)
            if outcome.result is not SpfResult.NONE:
                return outcome
        raise Stopped(
            SpfResult.PERMERROR,
            f"redirect={spec.text} of {domain} leads to {target}, which has no SPF record",
        )

    async def _matches(self, mechanism: Mechanism, domain: str, depth: int) -> bool:
        session = self._session
        kind = mechanism.kind
        if kind is Kind.IP4:
            return session.is_ip4 and session.number >> mechanism.shift4 == mechanism.network
        if kind is Kind.IP6:
            return not session.is_ip4 and session.number >> mechanism.shift6 == mechanism.network
        if kind is Kind.ALL:
            return True
        session.count_term()
        target = await session.target(mechanism.target, domain)
        if target is None:
            session.note(depth, domain, "the sender's local part is not ASCII, so no name has it")
            return False
        target = target.lower()
        if kind is Kind.INCLUDE:
            return await self._include(mechanism, domain, target, depth)
        return await self._matchers[kind](mechanism, target)

    async def _include(self, mechanism: Mechanism, domain: str, target: str, depth: int) -> bool:
        """RFC 7208 §5.2."""
        self._session.note(depth, domain, f"{mechanism.text} asks {target}")
        outcome = await self.check_host(target, depth + 1)
        if outcome.result is SpfResult.NONE:
            raise Stopped(
                SpfResult.PERMERROR,
                f"{mechanism.text} of {domain} leads to {target}, which has no SPF record",
            )
        return outcome.result is SpfResult.PASS

    async def _a(self, mechanism: Mechanism, target: str) -> bool:
        """RFC 7208 §5.3."""
        session = self._session
        answer = await session.ask_or_stop(target, session.address_type)
        session.count_void(answer)
        return session.holds(answer, mechanism.shift4 if session.is_ip4 else mechanism.shift6)

    async def _mx(self, mechanism: Mechanism, target: str) -> bool:
        """RFC 7208 §5.4."""
        session = self._session
        answer = await session.ask_or_stop(target, "MX")
        session.count_void(answer)
        if len(answer.records) > session.limits.names:
            raise Stopped(
                SpfResult.PERMERROR, f"{target} has more than {session.limits.names} MX hosts"
            )
        shift = mechanism.shift4 if session.is_ip4 else mechanism.shift6
        for record in answer.records:
            host = record.partition(" ")[2].removesuffix(".")
            if host and session.holds(await session.ask_or_stop(host, session.address_type), shift):
                return True
        return False

    async def _ptr(self, mechanism: Mechanism, target: str) -> bool:
        """RFC 7208 §5.5."""
        under = f".{target}"
        names = await self._session.validated_names()
        return any(name == target or name.endswith(under) for name in names)

    async def _exists(self, mechanism: Mechanism, target: str) -> bool:
        """RFC 7208 §5.7."""
        answer = await self._session.ask_or_stop(target, "A")
        self._session.count_void(answer)
        return answer.status is AnswerStatus.FOUND


async def _explanation(session: Session, outcome: _Outcome, receiver: str, at: int) -> str:
    """RFC 7208 §6.2. Whatever goes wrong, there is just no explanation."""
    spec = outcome.explanation
    if spec is None:
        return ""
    try:
        target = await session.target(spec, outcome.domain)
        if target is None:
            return ""
        answer = await session.ask(target, "TXT")
        if len(answer.records) != 1 or len(answer.records[0]) > _MAX_EXPLANATION_TEXT:
            return ""
        string = read_macro_string(answer.records[0], explanation=True)
        text = expand(string, await session.values(string, outcome.domain, receiver, at))
    except (InvalidMacro, Stopped):
        return ""
    if not text.isascii() or not text.isprintable():
        return ""
    session.note(0, outcome.domain, f"explanation from {target}: {text[:MAX_EXPLANATION_OCTETS]}")
    return text[:MAX_EXPLANATION_OCTETS]


def _ascii(helo: str) -> str:
    """RFC 8616 §4: U-labels become A-labels before anything is done with them."""
    try:
        return domain_to_ascii(helo)
    except InvalidAddress:
        return helo
