"""Opens a link: tries every address of every host of a route in order (RFC 5321 §5.1).

A refused or slow connection, a 4xx or 5xx greeting, a failed EHLO or TLS handshake send us on to the
next address. When none is left, the failure is permanent only if every one said 5xx.
"""

from msgspec import Struct

from postroad.delivery.dialogue import Dialogue
from postroad.delivery.link import Link, Opened
from postroad.delivery.mx import printable
from postroad.delivery.route import Router, needs_tls
from postroad.delivery.settings import DeliverySettings
from postroad.model import Host, Reply, Route, RouteKind, RouteTaken, Step, TlsPolicy
from postroad.ports import Clock, ConnectFailed, Network, RouteFailed, TlsFailed
from postroad.wire.smtp import (
    AuthDone,
    ClientEvent,
    Greeting,
    HelloDone,
    LocalProtocolError,
    Lost,
    SMTPClient,
    TlsReady,
    TlsRefused,
)

_TLS_BROKEN_SECONDS = 600.0
_TLS_BROKEN_ENTRIES = 1000


class _Refused(Exception):
    """This address does not take us; `tls` says that only the handshake stood in the way."""

    def __init__(self, reply: Reply, what: str, *, tls: bool = False) -> None:
        super().__init__(reply.text)
        self.reply = reply
        self.what = what
        self.tls = tls


class _Trial:
    """The steps of one search for a host, timed from its start."""

    def __init__(self, clock: Clock, route: Route) -> None:
        self.route = route
        self.started_at = clock.now()
        self.started = clock.monotonic()
        self.steps = [Step(0.0, "lookup", line) for line in route.lookups]
        self._clock = clock

    def step(self, what: str, text: str) -> None:
        seconds = round(self._clock.monotonic() - self.started, 6)
        self.steps.append(Step(seconds, what, printable(text.replace("\n", " / "))))


class _Place(Struct, frozen=True):
    """Where one try goes."""

    host: Host
    address: str
    port: int

    def __str__(self) -> str:
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}:{self.port}"


class Connector:
    """Opens links."""

    def __init__(
        self, network: Network, clock: Clock, router: Router, settings: DeliverySettings
    ) -> None:
        self._network = network
        self._clock = clock
        self._router = router
        self._settings = settings
        # Addresses whose TLS failed lately: opportunistic mail goes to them in clear at once.
        self._tls_broken: dict[_Place, float] = {}

    async def open(self, route: Route) -> Link:
        """Return a link to the first address that takes us. Raises `RouteFailed`."""
        trial = _Trial(self._clock, route)
        limit = trial.started + self._settings.connect_total_seconds
        failures: list[Reply] = []
        taken = None
        for host in route.hosts:
            if not host.addresses:
                trial.step("connect", f"{host.name}: {host.problem}")
                failures.append(Reply(451, "4.4.4", printable(f"{host.name}: {host.problem}")))
            for address in host.addresses:
                place = _Place(host, address, route.port)
                if self._clock.monotonic() >= limit:
                    trial.step("connect", "no time left for further addresses")
                    failures.append(Reply(451, "4.4.1", "no host answered in time"))
                    break
                taken = RouteTaken(route.kind, host.name, address, route.port)
                try:
                    return await self._open_place(trial, place, limit)
                except _Refused as refused:
                    failures.append(refused.reply)
        raise RouteFailed(_verdict(failures), tuple(trial.steps), taken)

    async def _open_place(self, trial: _Trial, place: _Place, limit: float) -> Link:
        """Try one address, with TLS and then, where that breaks and the policy lets us, without."""
        policy = trial.route.tls
        if policy is TlsPolicy.OPPORTUNISTIC and self._is_tls_broken(place):
            trial.step("tls", f"{place}: TLS failed lately, sending in clear")
            policy = TlsPolicy.NONE
        try:
            return await self._try(trial, place, policy, limit)
        except _Refused as refused:
            trial.step(refused.what, refused.reply.text)
            if not (refused.tls and policy is TlsPolicy.OPPORTUNISTIC):
                raise
        self._note_tls_broken(place)
        trial.step("connect", f"{place}: connecting again, without TLS")
        try:
            return await self._try(trial, place, TlsPolicy.NONE, limit)
        except _Refused as refused:
            trial.step(refused.what, refused.reply.text)
            raise

    async def _try(self, trial: _Trial, place: _Place, policy: TlsPolicy, limit: float) -> Link:
        settings = self._settings
        route = trial.route
        source = settings.source_ipv6 if ":" in place.address else settings.source_ipv4
        now = self._clock.monotonic()
        try:
            stream = await self._network.connect(
                place.address,
                place.port,
                source=source,
                timeout=max(0.001, min(settings.connect_seconds, limit - now)),
            )
        except ConnectFailed as error:
            raise _Refused(
                Reply(451, "4.4.1", printable(f"{place}: {error.reason}")), "connect"
            ) from error
        trial.step("connect", f"{place.host.name} {place} from {stream.source}")
        implicit = policy is TlsPolicy.IMPLICIT
        machine = SMTPClient(
            settings.hostname,
            self._clock.monotonic(),
            lmtp=route.kind is RouteKind.LMTP,
            secure=implicit,
            timeouts=settings.timeouts,
        )
        dialogue = Dialogue(stream, machine, self._clock, settings.send_seconds)
        dialogue.limit = limit
        greeting = _Handshake(self, trial, place, dialogue)
        try:
            if implicit:
                await greeting.secure(policy)
            await greeting.greet()
            await greeting.hello()
            if policy is not TlsPolicy.NONE and not implicit:
                await greeting.starttls(policy)
            if route.credentials is not None:
                await greeting.login(*route.credentials, self._login_without_tls(route))
        except BaseException:
            stream.close()
            raise
        dialogue.limit = float("inf")
        return Link(
            dialogue,
            route,
            place.host,
            place.address,
            Opened(trial.started_at, trial.started, tuple(trial.steps)),
            self._clock.monotonic(),
            settings,
        )

    def _login_without_tls(self, route: Route) -> bool:
        named = self._router.relay(route.domain)
        return named is not None and named[1].login_without_tls

    def _is_tls_broken(self, place: _Place) -> bool:
        until = self._tls_broken.get(place)
        return until is not None and self._clock.monotonic() < until

    def _note_tls_broken(self, place: _Place) -> None:
        if len(self._tls_broken) >= _TLS_BROKEN_ENTRIES:
            del self._tls_broken[next(iter(self._tls_broken))]
        self._tls_broken[place] = self._clock.monotonic() + _TLS_BROKEN_SECONDS

    @property
    def handshake_seconds(self) -> float:
        """How long a TLS handshake may take."""
        return self._settings.tls_handshake_seconds

    def now(self) -> float:
        """Return the monotonic time that machines are driven by."""
        return self._clock.monotonic()


class _Handshake:
    """The dialogue from the greeting to where MAIL may be said. Every method raises `_Refused`."""

    def __init__(
        self, connector: Connector, trial: _Trial, place: _Place, dialogue: Dialogue
    ) -> None:
        self._connector = connector
        self._trial = trial
        self._place = place
        self._dialogue = dialogue
        self._machine = dialogue.machine

    async def greet(self) -> None:
        event = await self._expect("greeting")
        assert isinstance(event, Greeting)
        self._accept(event.reply, "greeting", "greeted with")

    async def hello(self) -> None:
        self._machine.hello(self._connector.now())
        event = await self._expect("hello")
        assert isinstance(event, HelloDone)
        self._accept(event.reply, "hello", "answered EHLO with")

    async def starttls(self, policy: TlsPolicy) -> None:
        if "STARTTLS" not in self._machine.extensions:
            if needs_tls(policy):
                raise self._refused("4.7.4", "TLS is required and not offered", "tls")
            return
        self._machine.starttls(self._connector.now())
        event = await self._expect("tls")
        if isinstance(event, TlsRefused):
            if needs_tls(policy):
                raise self._refused("4.7.4", f"TLS is required, refused: {event.reply}", "tls")
            self._trial.step(
                "tls", f"{self._place}: STARTTLS refused, going on in clear: {event.reply}"
            )
            return
        assert isinstance(event, TlsReady)
        await self.secure(policy)
        self._machine.tls_started(self._connector.now())
        await self.hello()

    async def secure(self, policy: TlsPolicy) -> None:
        stream = self._dialogue.stream
        seconds = min(
            self._connector.handshake_seconds,
            max(0.001, self._dialogue.limit - self._connector.now()),
        )
        try:
            await stream.start_tls(policy, self._place.host.name, seconds)
        except TlsFailed as error:
            raise self._refused("4.7.5", error.reason, "tls", tls=True) from error
        checked = "certificate verified" if policy in _VERIFYING else "certificate not verified"
        self._trial.step("tls", f"{stream.tls}, {checked}")

    async def login(self, username: str, password: str, without_tls: bool) -> None:
        if not (self._machine.secure or without_tls):
            raise self._refused("4.7.4", "no login without TLS (see login_without_tls)", "auth")
        try:
            self._machine.auth(
                username, password, self._connector.now(), allow_plaintext=without_tls
            )
        except LocalProtocolError as error:
            raise self._refused("4.7.0", str(error), "auth") from error
        event = await self._expect("auth")
        assert isinstance(event, AuthDone)
        if not event.reply.positive:
            # Our settings are wrong, not the mail: it waits until they are mended.
            raise self._refused("4.7.8", f"login as {username} refused: {event.reply}", "auth")
        self._trial.step("auth", f"as {username}: {event.reply}")

    async def _expect(self, what: str) -> ClientEvent:
        event = await self._dialogue.event()
        if isinstance(event, Lost):
            raise self._refused("4.4.2", f"connection lost ({event.reason})", what)
        return event

    def _accept(self, reply: Reply, what: str, words: str) -> None:
        if reply.positive:
            self._trial.step(what, str(reply))
            return
        text = printable(f"{self._place} {words} {reply}".replace("\n", " / "))
        if reply.permanent:
            raise _Refused(Reply(reply.code, reply.enhanced or "5.3.0", text), what)
        raise _Refused(Reply(reply.code, reply.enhanced or "4.3.0", text), what)

    def _refused(self, enhanced: str, text: str, what: str, *, tls: bool = False) -> _Refused:
        text = printable(f"{self._place}: {text}".replace("\n", " / "))
        return _Refused(Reply(451, enhanced, text), what, tls=tls)


_VERIFYING = (TlsPolicy.VERIFY, TlsPolicy.IMPLICIT)


def _verdict(failures: list[Reply]) -> Reply:
    """The last temporary failure, else the last permanent one: one host that may recover is hope."""
    for reply in reversed(failures):
        if reply.transient:
            return reply
    return failures[-1] if failures else Reply(451, "4.4.4", "the route has no hosts")
