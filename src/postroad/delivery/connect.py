"""Opens a link: tries every address of every host of a route in order (RFC 5321 §5.1).

A refused or slow connection, a 4xx or 5xx greeting, a failed EHLO or TLS handshake send us on to the
next address. When none is left, the failure is permanent only if every one said 5xx. A server that
refuses our address as such is tried from another one of ours, where there is one.
"""

from msgspec import Struct

from postroad.delivery.allowance import Allowance
from postroad.delivery.courier import requiretls_unmet
from postroad.delivery.demand import Demand, Demands
from postroad.delivery.dialogue import Dialogue
from postroad.delivery.handshake import Handshake
from postroad.delivery.link import Link, Opened
from postroad.delivery.mx import printable
from postroad.delivery.providers import limits_of
from postroad.delivery.route import Router
from postroad.delivery.settings import DeliverySettings, Source
from postroad.delivery.sources import Sources, binding, words_of
from postroad.delivery.tally import LinkTally
from postroad.delivery.trial import Place, Refused, Trial
from postroad.model import Reply, Route, RouteKind, RouteTaken, TlsPolicy
from postroad.ports import Clock, ConnectFailed, Network, NotNow, RouteFailed, StorageError
from postroad.wire.smtp import SMTPClient

_TLS_BROKEN_SECONDS = 600.0
_TLS_BROKEN_ENTRIES = 1000


class TlsUnmet(RouteFailed):
    """No way, where without DANE or MTA-STS there might be one: mail that asks for no TLS may go."""


class _Way(Struct, frozen=True):
    """From where to where one try goes, and what it may bring."""

    place: Place
    source: Source
    allowance: Allowance | None


class Connector:
    """Opens links."""

    def __init__(
        self,
        network: Network,
        clock: Clock,
        router: Router,
        demands: Demands,
        settings: DeliverySettings,
        sources: Sources | None = None,
        tally: LinkTally | None = None,
    ) -> None:
        self.sources = sources or Sources(clock, settings)
        self._tally = tally or LinkTally()
        self._network = network
        self._clock = clock
        self._router = router
        self._demands = demands
        self._settings = settings
        # Addresses whose TLS failed lately: opportunistic mail goes to them in clear at once.
        self._tls_broken: dict[Place, float] = {}

    async def open(self, route: Route, *, relaxed: bool = False, proven: bool = False) -> Link:
        """Return a link to the first address that takes us; `relaxed` as in `Demands.of`. `proven`: that
        takes mail with REQUIRETLS, and may be given it (RFC 8689 §4.2.1).

        Raises `RouteFailed`, as `TlsUnmet` where what the receiving domain asks for stood in the way, as
        `NotNow` where only caps did.
        """
        trial = Trial(self._clock, route, counting=self._settings.tls_reports)
        limit = trial.started + self._settings.connect_total_seconds
        failures: list[Reply] = []
        taken = None
        unmet = False
        capped: list[Allowance] = []
        for host in route.hosts:
            if not host.addresses:
                trial.step("connect", f"{host.name}: {host.problem}")
                failures.append(Reply(451, "4.4.4", printable(f"{host.name}: {host.problem}")))
                continue
            demand = await self._demands.of(route, host, relaxed=relaxed)
            for line in demand.lines:
                trial.step("lookup", line)
            if demand.refusal is not None:
                trial.step("tls", demand.refusal.text)
                place = Place(host, host.addresses[0], route.port)
                trial.count(demand, place, demand.failure, demand.reason)
                taken = RouteTaken(route.kind, host.name, policy=demand.policy)
                failures.append(demand.refusal)
                unmet = unmet or demand.by_peer
                continue
            for address in host.addresses:
                place = Place(host, address, route.port)
                if self._clock.monotonic() >= limit:
                    trial.step("connect", "no time left for further addresses")
                    failures.append(Reply(451, "4.4.1", "no host answered in time"))
                    break
                taken = RouteTaken(route.kind, host.name, address, route.port, policy=demand.policy)
                for source in self.sources.choose(route, address):
                    allowance = self.sources.allowance(route, source)
                    if allowance is not None and not await _some(allowance):
                        trial.step("source", _spent(allowance).text)
                        capped.append(allowance)
                        continue
                    way = _Way(place, source, allowance)
                    try:
                        return await self._open_place(trial, way, demand, limit, proven)
                    except Refused as refused:
                        failures.append(refused.reply)
                        unmet = unmet or (demand.by_peer and refused.failure is not None)
                        if not self._is_blocked(trial, way, refused):
                            break
        if capped and not failures:
            raise NotNow(_spent(capped[0]), capped[0].renewed_at, tuple(trial.steps))
        self._tally.failed += 1
        kind = TlsUnmet if unmet else RouteFailed
        raise kind(_verdict(failures), tuple(trial.steps), taken, trial.changes)

    async def _open_place(
        self, trial: Trial, way: "_Way", demand: Demand, limit: float, proven: bool
    ) -> Link:
        """Try one address, and where TLS breaks and the rule lets us, again with less of it."""
        place = way.place
        if demand.tls is TlsPolicy.OPPORTUNISTIC and self._is_tls_broken(place):
            assert demand.fallback is not None, "opportunistic TLS can do without"
            trial.step("tls", f"{place}: TLS failed lately, sending in clear")
            demand = demand.fallback
        while True:
            try:
                link = await self._try(trial, way, demand, limit)
                if proven and not link.requiretls:
                    await link.dialogue.quit()
                    raise Refused(requiretls_unmet(link), "hello")
                return link
            except Refused as refused:
                trial.step(refused.what, refused.reply.text)
                if refused.failure is not None:
                    trial.count(demand, place, refused.failure, refused.reply.text)
                if not refused.tls or demand.fallback is None:
                    raise
            demand = demand.fallback
            less = "without verifying the certificate"
            if demand.tls is TlsPolicy.NONE:
                self._note_tls_broken(place)
                less = "without TLS"
            trial.step("connect", f"{place}: connecting again, {less}")

    async def _try(self, trial: Trial, way: "_Way", demand: Demand, limit: float) -> Link:
        settings = self._settings
        route, place = trial.route, way.place
        now = self._clock.monotonic()
        try:
            stream = await self._network.connect(
                place.address,
                place.port,
                source=binding(way.source),
                timeout=max(0.001, min(settings.connect_seconds, limit - now)),
            )
        except ConnectFailed as error:
            raise Refused(
                Reply(451, "4.4.1", printable(f"{place}: {error.reason}")), "connect"
            ) from error
        trial.step("connect", f"{place.host.name} {place} from {stream.source}")
        implicit = demand.tls is TlsPolicy.IMPLICIT
        machine = SMTPClient(
            way.source.helo or settings.hostname,
            self._clock.monotonic(),
            lmtp=route.kind is RouteKind.LMTP,
            secure=implicit,
            timeouts=settings.timeouts,
        )
        dialogue = Dialogue(stream, machine, self._clock, settings.send_seconds)
        dialogue.limit = limit
        handshake = Handshake(
            dialogue, self._clock, trial, place, demand, settings.tls_handshake_seconds
        )
        try:
            if implicit:
                await handshake.secure()
            await handshake.greet()
            await handshake.hello()
            if demand.tls is not TlsPolicy.NONE and not implicit:
                await handshake.starttls()
            if route.credentials is not None:
                await handshake.login(*route.credentials, self._login_without_tls(route))
        except BaseException:
            stream.close()
            raise
        dialogue.limit = float("inf")
        taken = RouteTaken(
            route.kind,
            place.host.name,
            place.address,
            place.port,
            stream.tls,
            False,
            stream.source,
            "DSN" in machine.extensions,
            demand.policy,
            handshake.verified,
        )
        self._tally.open(taken)
        return Link(
            dialogue,
            place.host,
            taken,
            Opened(trial.started_at, trial.started, tuple(trial.steps), trial.changes),
            self._clock.monotonic(),
            settings,
            way.source,
            way.allowance,
            limits_of(route.provider, settings.providers),
        )

    def _is_blocked(self, trial: Trial, way: "_Way", refused: Refused) -> bool:
        """Whether it is our address that the server refuses, so that another one may be of use."""
        reply = refused.reply
        if refused.what not in ("greeting", "hello") or not self.sources.is_block(
            reply, way.place.host.name
        ):
            return False
        if self.sources.block(trial.route, way.source, reply):
            text = f"{words_of(way.source)} is blocked by {trial.route.provider}: another is tried"
            trial.step("source", text)
        return True

    def _login_without_tls(self, route: Route) -> bool:
        named = self._router.relay(route.domain)
        return named is not None and named[1].login_without_tls

    def _is_tls_broken(self, place: Place) -> bool:
        until = self._tls_broken.get(place)
        return until is not None and self._clock.monotonic() < until

    def _note_tls_broken(self, place: Place) -> None:
        if len(self._tls_broken) >= _TLS_BROKEN_ENTRIES:
            del self._tls_broken[next(iter(self._tls_broken))]
        self._tls_broken[place] = self._clock.monotonic() + _TLS_BROKEN_SECONDS


async def _some(allowance: Allowance) -> bool:
    try:
        return await allowance.some()
    except StorageError as error:
        raise RouteFailed(
            Reply(451, "4.3.0", printable(f"what was sent today is not known: {error}"))
        ) from error


def _spent(allowance: Allowance) -> Reply:
    source, provider = allowance.source.address, allowance.provider
    text = f"{source} sends no more than {allowance.cap} a day to {provider} while it warms up"
    return Reply(451, "4.7.0", printable(text))


def _verdict(failures: list[Reply]) -> Reply:
    """The last temporary failure, else the last permanent one: one host that may recover is hope."""
    for reply in reversed(failures):
        if reply.transient:
            return reply
    return (
        failures[-1]
        if failures
        else Reply(451, "4.4.4", "no source address of ours fits its hosts")
    )
