"""Routes: by an operator's word (smarthost, LMTP), by address literal, or by MX."""

from postroad.delivery.mx import HostFinder, Hosts
from postroad.delivery.settings import DeliverySettings, RelayHost
from postroad.model import Route, RouteKind, TlsPolicy
from postroad.ports import Clock, Entropy, Resolver


class Router:
    """Finds routes and keeps them while their DNS answers hold."""

    def __init__(
        self, resolver: Resolver, clock: Clock, entropy: Entropy, settings: DeliverySettings
    ) -> None:
        self._finder = HostFinder(resolver, entropy, settings)
        self._clock = clock
        self._settings = settings
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
        if domain.startswith("["):
            hosts = self._finder.by_literal(domain[1:-1].removeprefix("ipv6:"))
        else:
            hosts = await self._finder.by_mx(domain)
        route = Route(
            RouteKind.MX,
            domain,
            "",
            hosts.hosts,
            settings.port,
            settings.tls,
            lookups=hosts.lookups,
        )
        return self._make(route, hosts, now)

    async def _relay_hosts(self, host: str) -> Hosts:
        literal = host.strip("[]")
        if ":" in literal or literal.replace(".", "").isdigit():
            return self._finder.by_literal(literal, trusted=True)
        return await self._finder.by_name(host)

    def _make(self, route: Route, hosts: Hosts, now: float) -> Route:
        ttl = min(hosts.ttl, self._settings.route_cache_seconds)
        return Route(
            route.kind,
            route.domain,
            self._key(route),
            route.hosts,
            route.port,
            route.tls,
            route.credentials,
            now + ttl,
            route.lookups,
        )

    def _key(self, route: Route) -> str:
        """What two routes share that may share connections: host set, port, TLS policy, source."""
        hosts = ",".join(sorted(f"{host.preference} {host.name}" for host in route.hosts))
        source = f"{self._settings.source_ipv4 or '*'}/{self._settings.source_ipv6 or '*'}"
        login = route.credentials[0] if route.credentials else ""
        return f"{route.kind.value} {login} {hosts} port {route.port} {route.tls.value} {source}"


def needs_tls(policy: TlsPolicy) -> bool:
    """Whether nothing may be sent in clear."""
    return policy in (TlsPolicy.ENCRYPT, TlsPolicy.VERIFY, TlsPolicy.IMPLICIT)
