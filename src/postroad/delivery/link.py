"""An open connection to one address of one host, greeted and, where the policy asks, secured."""

import sys

from msgspec import Struct
from msgspec.structs import replace

from postroad.delivery.allowance import Allowance
from postroad.delivery.dialogue import Dialogue
from postroad.delivery.settings import DeliverySettings, Provider, Source
from postroad.model import Change, Host, LinkPolicy, RouteKind, RouteTaken, Step


class Opened(Struct, frozen=True):
    """How a link came about: since when (1970 and monotonic), by which steps, and what is to be
    committed with its first outcome.
    """

    started_at: float
    started: float
    steps: tuple[Step, ...]
    changes: tuple[Change, ...] = ()


class Link:
    """A connection that is ready for MAIL, and what is known about it.

    `source` is our address on it, `allowance` what may still go from there today (None: anything).

    The steps in `opened` belong to the first message sent over it. `messages` counts those begun.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        host: Host,
        taken: RouteTaken,
        opened: Opened,
        now: float,
        settings: DeliverySettings,
        source: Source | None = None,
        allowance: Allowance | None = None,
        provider: Provider | None = None,
    ) -> None:
        machine = dialogue.machine
        self.dialogue = dialogue
        self.machine = machine
        self.host = host
        self.source = source or Source(taken.source)
        self.allowance = allowance
        self.opened = opened
        self.messages = 0
        self.broken = False
        self.last_used = now
        self.lmtp = taken.kind is RouteKind.LMTP
        self.pipelining = machine.pipelining
        self.max_size = machine.max_size
        # RFC 9422: what the server takes, where it says so
        limits = machine.limits
        self.max_messages = min(
            provider.messages_per_connection
            if provider is not None and provider.messages_per_connection
            else settings.messages_per_connection,
            limits.get("MAILMAX") or sys.maxsize,
        )
        self.max_recipients = min(
            settings.recipients_per_transaction, limits.get("RCPTMAX") or sys.maxsize
        )
        self._expires = now + settings.connection_age_seconds
        self._idle_seconds = settings.idle_seconds
        self.requiretls = "REQUIRETLS" in machine.extensions and _is_proven(host, taken)
        self._fresh = taken
        self._reused = replace(taken, reused=True)

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
        return self.broken or self.machine.closing or self.messages >= self.max_messages

    def usable(self, now: float) -> bool:
        """Whether a message may be begun on it at `now`, which is monotonic."""
        return not self.spent and now < self._expires and now - self.last_used < self._idle_seconds

    def drop(self) -> None:
        """Close it without a word."""
        self.broken = True
        self.dialogue.stream.close()


def _is_proven(host: Host, taken: RouteTaken) -> bool:
    """RFC 8689 §4.2.1: the server proved who it is, and that it is the one that the domain named."""
    if not taken.verified:
        return False
    return taken.kind is not RouteKind.MX or host.secure or taken.policy is not LinkPolicy.VERIFIED
