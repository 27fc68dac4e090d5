"""An open connection to one address of one host, greeted and, where the policy asks, secured."""

from msgspec import Struct

from postroad.delivery.dialogue import Dialogue
from postroad.delivery.settings import DeliverySettings
from postroad.model import Host, Route, RouteKind, RouteTaken, Step


class Limits(Struct, frozen=True):
    """What the server says it takes (RFC 9422); 0: it does not say."""

    messages: int = 0
    recipients: int = 0

    @classmethod
    def parse(cls, parameters: str) -> "Limits":
        """Read the parameters of the LIMITS keyword; what is malformed is passed over."""
        values = {}
        for word in parameters.split():
            name, _, value = word.partition("=")
            if value.isdigit() and len(value) <= 6:
                values[name.upper()] = int(value)
        return cls(values.get("MAILMAX", 0), values.get("RCPTMAX", 0))


class Opened(Struct, frozen=True):
    """How a link came about: since when (1970 and monotonic) and by which steps."""

    started_at: float
    started: float
    steps: tuple[Step, ...]


class Link:
    """A connection that is ready for MAIL, and what is known about it.

    The steps in `opened` belong to the first message sent over it. `messages` counts those begun.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        route: Route,
        host: Host,
        address: str,
        opened: Opened,
        now: float,
        settings: DeliverySettings,
    ) -> None:
        machine = dialogue.machine
        self.dialogue = dialogue
        self.machine = machine
        self.host = host
        self.opened = opened
        self.messages = 0
        self.broken = False
        self.needs_reset = False
        self.last_used = now
        self.lmtp = route.kind is RouteKind.LMTP
        self.pipelining = "PIPELINING" in machine.extensions
        limits = Limits.parse(machine.extensions.get("LIMITS", ""))
        self.max_messages = settings.messages_per_connection
        if limits.messages:
            self.max_messages = min(self.max_messages, limits.messages)
        self.max_recipients = settings.recipients_per_transaction
        if limits.recipients:
            self.max_recipients = min(self.max_recipients, limits.recipients)
        self._expires = now + settings.connection_age_seconds
        self._idle_seconds = settings.idle_seconds
        stream = dialogue.stream
        self._fresh = RouteTaken(
            route.kind, host.name, address, route.port, stream.tls, False, stream.source
        )
        self._reused = RouteTaken(
            route.kind, host.name, address, route.port, stream.tls, True, stream.source
        )

    @property
    def where(self) -> str:
        """Host and address in words."""
        name, address = self._fresh.host, self._fresh.address
        return name if name == address else f"{name} ({address})"

    @property
    def taken(self) -> RouteTaken:
        """The way that the message begun last took."""
        return self._fresh if self.messages <= 1 else self._reused

    @property
    def dead(self) -> bool:
        """Whether nothing more can be said on it."""
        return self.broken or self.machine.closing

    @property
    def spent(self) -> bool:
        """Whether no further message may be begun on it, as far as counts tell."""
        return self.dead or self.messages >= self.max_messages

    def usable(self, now: float) -> bool:
        """Whether a message may be begun on it at `now`, which is monotonic."""
        return not self.spent and now < self._expires and now - self.last_used < self._idle_seconds

    def drop(self) -> None:
        """Close it without a word."""
        self.broken = True
        self.dialogue.stream.close()
