"""The search for a host that takes us: its steps, timed, and what TLS reports are to count of it."""

from datetime import UTC, datetime

from msgspec import Struct

from postroad.delivery.demand import Demand
from postroad.delivery.mx import printable
from postroad.model import Change, Host, Reply, Route, Step, TlsCounted, TlsFailure, TlsResult
from postroad.ports import Clock


class Refused(Exception):
    """This address does not take us; `tls` says that only the handshake stood in the way, `failure` as
    what TLS reports count it.
    """

    def __init__(
        self, reply: Reply, what: str, *, tls: bool = False, failure: TlsFailure | None = None
    ) -> None:
        super().__init__(reply.text)
        self.reply = reply
        self.what = what
        self.tls = tls
        self.failure = failure


class Place(Struct, frozen=True):
    """Where one try goes."""

    host: Host
    address: str
    port: int

    def __str__(self) -> str:
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}:{self.port}"


class Trial:
    """The steps of one search, timed from its start. `counting`: for TLS reports."""

    def __init__(self, clock: Clock, route: Route, *, counting: bool) -> None:
        self.route = route
        self.started_at = clock.now()
        self.started = clock.monotonic()
        self.steps = [Step(0.0, "lookup", line) for line in route.lookups]
        self._clock = clock
        self._counting = counting and not route.domain.startswith("[")
        self._results: list[TlsResult] = []

    def step(self, what: str, text: str) -> None:
        """Note what happened."""
        seconds = round(self._clock.monotonic() - self.started, 6)
        self.steps.append(Step(seconds, what, printable(text.replace("\n", " / "))))

    def count(
        self,
        demand: Demand,
        place: Place,
        failure: TlsFailure | None,
        reason: str = "",
        source: str = "",
    ) -> None:
        """Note that the policy of a link was met, or how it was not."""
        if not self._counting or demand.kind is None:
            return
        self._results.append(
            TlsResult(
                self.route.domain,
                demand.kind,
                demand.quoted,
                failure,
                source,
                place.host.name,
                place.address,
                printable(reason)[:200] if failure else "",
            )
        )

    @property
    def changes(self) -> tuple[Change, ...]:
        """What is to be committed with the outcome."""
        if not self._results:
            return ()
        day = f"{datetime.fromtimestamp(self.started_at, UTC):%Y-%m-%d}"
        return (TlsCounted(self.started_at, day, tuple(self._results)),)
