"""Routes: by an operator's word (smarthost, LMTP), by address literal, or by MX."""

import hashlib

from msgspec.structs import replace

from postroad.delivery.mx import HostFinder, Hosts
from postroad.delivery.providers import provider_of
from postroad.delivery.settings import DeliverySettings, RelayHost
from postroad.delivery.sts import StsFound, StsPolicies
from postroad.model import Route, RouteKind, TlsPolicy
from postroad.ports import Clock, Entropy, Resolver


class Router:
    """Finds routes and keeps them while their DNS answers hold."""

    def __init__(
        self,
        resolver: Resolver,
        clock: Clock,
        entropy: Entropy,
        settings: DeliverySettings,
        policies: StsPolicies | None = None,
    ) -> None:
        self._finder = HostFinder(resolver, entropy, settings)
        self._clock = clock
        self._settings = settings
        self._policies = policies
        self._cache: dict[str, Route] = {}

    async def route(self, domain: str) -> Route:
        """Return the route to `domain` (A-labels in lower case, or an address literal).

        Raises `RouteFailed`.
        """
        now = self._clock.now()
        cached = self._cache.get(domain)
        # A clock that steps back must not make a route immortal.
        latest = now + self._settings.route_cache_seconds
        if cached is not None and now < cached.expires_at <= latest:
            return cached
        route = await self._find(domain, now)
        if len(self._cache) >= self._settings.route_cache_entries:
            del self._cache[next(iter(self._cache))]
        self._cache[domain] = route
        return route

    def relay(self, domain: str) -> tuple[RouteKind, RelayHost] | None:
        """Return the server that an operator named for `domain`."""
        settings = self._settings
        for name in (domain, "*"):
            if name in settings.lmtp:
                return RouteKind.LMTP, settings.lmtp[name]
            if name in settings.smarthosts:
                return RouteKind.SMARTHOST, settings.smarthosts[name]
        return None

    async def _find(self, domain: str, now: float) -> Route:
        named = self.relay(domain)
        settings = self._settings
        if named is not None:
            kind, relay = named
            hosts = await self._relay_hosts(relay.host)
            line = f"route of {domain}: {kind.value} {relay.host}:{relay.port} (from the settings)"
            return self._make(
                Route(
                    kind,
                    domain,
                    "",
                    hosts.hosts,
                    relay.port,
                    relay.tls,
                    relay.credentials,
                    lookups=(line, *hosts.lookups),
                ),
                hosts,
                now,
            )
        sts = StsFound()
        if domain.startswith("["):
            hosts = self._finder.by_literal(domain[1:-1].removeprefix("ipv6:"))
        else:
            hosts = await self._finder.by_mx(domain)
            if self._policies is not None and settings.tls in _LEAVE_ROOM:
                sts = await self._policies.find(domain)
        route = Route(
            RouteKind.MX,
            domain,
            "",
            hosts.hosts,
            settings.port,
            settings.tls,
            lookups=(*hosts.lookups, *sts.lines),
            sts=sts.policy,
            sts_failure=sts.failure,
        )
        return self._make(route, hosts, now)

    async def _relay_hosts(self, host: str) -> Hosts:
        literal = host.strip("[]")
        if ":" in literal or literal.replace(".", "").isdigit():
            return self._finder.by_literal(literal, trusted=True)
        return await self._finder.by_name(host)

    def _make(self, route: Route, hosts: Hosts, now: float) -> Route:
        ttl = min(hosts.ttl, self._settings.route_cache_seconds)
        provider = provider_of(route.hosts, self._settings.providers)
        return replace(route, key=self._key(route), expires_at=now + ttl, provider=provider)

    def _key(self, route: Route) -> str:
        """What two routes share that may share connections: host set, port, TLS policy, source.

        Of preferences only the order counts: each domain counts them as it likes. Hosts that DNSSEC
        vouches for are others than those of the same name that it does not: only for the former their
        TLSA records count.
        """
        ranks = sorted({host.preference for host in route.hosts})
        hosts = ",".join(
            sorted(
                f"{ranks.index(host.preference)} {host.name}{'+' if host.secure else ''}"
                for host in route.hosts
            )
        )
        source = f"{self._settings.source_ipv4 or '*'}/{self._settings.source_ipv6 or '*'}"
        login = route.credentials[0] if route.credentials else ""
        sts = ""
        if route.sts is not None:
            asked = " ".join((route.sts.mode.value, *sorted(route.sts.mx)))
            sts = f" mta-sts {hashlib.sha256(asked.encode()).hexdigest()[:16]}"
        return (
            f"{route.kind.value} {login} {hosts} port {route.port} {route.tls.value} {source}{sts}"
        )


# Under these, DANE and MTA-STS may ask for more.
_LEAVE_ROOM = (TlsPolicy.OPPORTUNISTIC, TlsPolicy.ENCRYPT)
