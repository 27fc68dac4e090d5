"""What the link to a host must fulfil: by the settings, by its TLSA records, by MTA-STS.

DANE comes before MTA-STS (RFC 8461 §2). What a look-up leaves open is refused, never passed over: a host
whose TLSA records cannot be had is not used (RFC 7672 §2.1).
"""

from msgspec import Struct
from msgspec.structs import replace

from postroad.delivery.mx import printable
from postroad.delivery.settings import DeliverySettings
from postroad.model import (
    Host,
    LinkPolicy,
    PolicyType,
    Reply,
    Route,
    RouteKind,
    StsMode,
    TlsFailure,
    TlsPolicy,
)
from postroad.ports import AnswerStatus, Resolver
from postroad.trust.dane import Tlsa, parse_tlsa, usable
from postroad.trust.mta_sts import matches

_MAX_RECORDS = 32


class Demand(Struct, frozen=True, kw_only=True):
    """The rule of one link.

    `tls` is how the handshake is made, for `server_name`; `required`: nothing may be said in clear.
    `records` must fit the certificate, of a server called by any of `names`. `refusal`: the host must
    not be used at all. `fallback` follows where TLS fails. `by_peer`: the receiving domain asks for it.
    `kind` and `quoted` are the policy as TLS reports name it (None: not counted), `failure` and `reason`
    what is wrong with it before a connection is made. `lines` tell what was looked up.
    """

    policy: LinkPolicy
    tls: TlsPolicy
    server_name: str = ""
    required: bool = False
    records: tuple[Tlsa, ...] = ()
    names: tuple[str, ...] = ()
    refusal: Reply | None = None
    fallback: "Demand | None" = None
    by_peer: bool = False
    kind: PolicyType | None = None
    quoted: tuple[str, ...] = ()
    failure: TlsFailure | None = None
    reason: str = ""
    lines: tuple[str, ...] = ()


_CLEAR = Demand(policy=LinkPolicy.OPPORTUNISTIC, tls=TlsPolicy.NONE)
_BY_SETTINGS = {
    TlsPolicy.NONE: Demand(policy=LinkPolicy.NONE, tls=TlsPolicy.NONE),
    TlsPolicy.OPPORTUNISTIC: Demand(
        policy=LinkPolicy.OPPORTUNISTIC, tls=TlsPolicy.OPPORTUNISTIC, fallback=_CLEAR
    ),
    TlsPolicy.ENCRYPT: Demand(policy=LinkPolicy.ENCRYPTED, tls=TlsPolicy.ENCRYPT, required=True),
    TlsPolicy.VERIFY: Demand(policy=LinkPolicy.VERIFIED, tls=TlsPolicy.VERIFY, required=True),
    TlsPolicy.IMPLICIT: Demand(policy=LinkPolicy.VERIFIED, tls=TlsPolicy.IMPLICIT, required=True),
}
_COUNTED = {
    policy: replace(demand, kind=PolicyType.NONE) for policy, demand in _BY_SETTINGS.items()
}


class Demands:
    """Finds out what each host asks for."""

    def __init__(self, resolver: Resolver, settings: DeliverySettings) -> None:
        self._resolver = resolver
        self._settings = settings

    async def of(self, route: Route, host: Host, *, relaxed: bool = False) -> Demand:
        """Return the rule for a link to `host`; `relaxed` leaves out what the receiving domain asks for
        (RFC 8689 §4.2.2), not what the settings do.
        """
        own = _BY_SETTINGS[route.tls]
        if route.kind is not RouteKind.MX:
            return await self._of_relay(route, host, own)
        own = _COUNTED[route.tls]
        if relaxed or route.tls not in (TlsPolicy.OPPORTUNISTIC, TlsPolicy.ENCRYPT):
            return own
        if host.secure and self._settings.dane:
            demand = await self._by_tlsa(route, host)
            if demand is not None:
                return demand
        if route.sts is not None:
            return _by_sts(route, host, own)
        if route.sts_failure is not None:
            return replace(own, kind=PolicyType.STS, failure=route.sts_failure)
        return own

    async def _of_relay(self, route: Route, host: Host, own: Demand) -> Demand:
        """The rule for a smarthost: its name is an operator's word, so its TLSA records count where
        DNSSEC vouches for its addresses (RFC 7672 §2.2.2). They are its own, not of the domain that
        mail is for: nothing that a message says makes them less, and no TLS report tells of them.
        """
        if (
            route.kind is not RouteKind.SMARTHOST
            or route.tls not in (TlsPolicy.OPPORTUNISTIC, TlsPolicy.ENCRYPT)
            or not (host.secure and self._settings.dane)
        ):
            return own
        demand = await self._by_tlsa(route, host)
        return own if demand is None else replace(demand, by_peer=False, kind=None)

    async def _by_tlsa(self, route: Route, host: Host) -> Demand | None:
        """RFC 7672 §2.2.3: the name where CNAMEs lead comes first, then the name itself."""
        lines: list[str] = []
        for base in dict.fromkeys(name for name in (host.canonical, host.name) if name):
            name = f"_{route.port}._tcp.{base}"
            answer = await self._resolver.lookup(name, "TLSA")
            if answer.status is AnswerStatus.FAILED:
                line = printable(f"TLSA of {name}: look-up failed ({answer.detail})")
                text = (
                    f"{line}; DNSSEC vouches for {host.name}, so nothing is sent to it unverified"
                )
                return Demand(
                    policy=LinkPolicy.DANE,
                    tls=TlsPolicy.ENCRYPT,
                    required=True,
                    by_peer=True,
                    refusal=Reply(451, "4.4.3", text),
                    kind=PolicyType.TLSA,
                    failure=TlsFailure.DNSSEC_INVALID,
                    reason=answer.detail,
                    lines=(line,),
                )
            if answer.status is AnswerStatus.FOUND:
                read = [parse_tlsa(text) for text in answer.records[:_MAX_RECORDS]]
                records = tuple(record for record in read if record is not None)
                shown = ", ".join(map(str, records[:4]))
                if answer.authenticated:
                    lines.append(f"TLSA of {name}: {shown}, vouched for by DNSSEC")
                    return _dane(route, host, base, records, tuple(lines))
                lines.append(f"TLSA of {name}: {shown}, not vouched for by DNSSEC: not used")
        return None


def _dane(
    route: Route, host: Host, base: str, records: tuple[Tlsa, ...], lines: tuple[str, ...]
) -> Demand:
    """RFC 7672 §2.2: usable records bind; where none is usable, encryption is still required."""
    usable_records = usable(records)
    demand = Demand(
        policy=LinkPolicy.DANE if usable_records else LinkPolicy.ENCRYPTED,
        tls=TlsPolicy.ENCRYPT,
        server_name=base,
        required=True,
        records=usable_records,
        # RFC 7672 §3.2.2: the server may be called by the name of the domain that it serves.
        names=tuple(dict.fromkeys((base, host.name, *_served(route)))),
        by_peer=True,
        kind=PolicyType.TLSA,
        quoted=tuple(record.text for record in records),
        lines=lines,
    )
    if usable_records:
        return demand
    return replace(demand, lines=(*lines, "none of these TLSA records is usable: any TLS will do"))


def _served(route: Route) -> tuple[str, ...]:
    """The domain whose MX records lead to a server: a smarthost need not know those it relays for."""
    return (route.domain,) if route.kind is RouteKind.MX else ()


def _by_sts(route: Route, host: Host, own: Demand) -> Demand:
    """RFC 8461 §5."""
    policy = route.sts
    assert policy is not None
    named = matches(policy.mx, host.name)
    mismatch = f"{host.name} is no host of the MTA-STS policy of {policy.domain}"
    if policy.mode is StsMode.ENFORCE:
        demand = Demand(
            policy=LinkPolicy.STS_ENFORCE,
            tls=TlsPolicy.VERIFY,
            server_name=host.name,
            required=True,
            by_peer=True,
            kind=PolicyType.STS,
            quoted=policy.lines,
        )
        if named:
            return demand
        return replace(
            demand,
            refusal=Reply(451, "4.7.5", printable(mismatch)),
            failure=TlsFailure.VALIDATION,
            reason="MX host not named by the policy",
        )
    # Testing: as the settings say, with a try at more, which is reported.
    lenient = replace(own, policy=LinkPolicy.STS_TESTING, kind=None)
    if lenient.fallback is not None:
        lenient = replace(lenient, fallback=replace(_CLEAR, policy=LinkPolicy.STS_TESTING))
    if not named:
        return replace(
            lenient,
            kind=PolicyType.STS,
            quoted=policy.lines,
            failure=TlsFailure.VALIDATION,
            reason="MX host not named by the policy",
            lines=(f"{mismatch} (mode testing: used all the same)",),
        )
    return replace(
        lenient,
        kind=PolicyType.STS,
        quoted=policy.lines,
        tls=TlsPolicy.VERIFY,
        server_name=host.name,
        fallback=lenient,
    )
