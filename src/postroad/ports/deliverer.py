"""What brings messages to where they go: a mailbox here, or another server."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from postroad.model import (
    Change,
    LeasedDelivery,
    MailboxAdded,
    Outcome,
    Reply,
    Route,
    RouteTaken,
    Step,
)


class RouteFailed(Exception):
    """There is no way, now or ever. `reply` is 4xx or 5xx and is the outcome of every delivery that
    waits for the destination; `steps` tell what was looked up or tried; `changes` are to be committed
    with the first of those outcomes.
    """

    def __init__(
        self,
        reply: Reply,
        steps: tuple[Step, ...] = (),
        taken: RouteTaken | None = None,
        changes: tuple[Change, ...] = (),
    ) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.steps = steps
        self.taken = taken
        self.changes = changes


class NotNow(RouteFailed):
    """Nothing was tried, and nothing is to be before `until`, for a reason of ours: a cap is reached."""

    def __init__(self, reply: Reply, until: float, steps: tuple[Step, ...] = ()) -> None:
        super().__init__(reply, steps)
        self.until = until


class Attempt(Struct, frozen=True):
    """What one attempt came to: an outcome per ordinal, in the order of the deliveries.

    `started_at` and `ended_at` are seconds since 1970. `changes` must be committed in the same group
    as the outcomes (a local deposit, what TLS reports count), and `made` (mailboxes that it needs)
    before them. `ours`: it failed by a fault of this machine (a content that cannot be read), which says
    nothing about the destination. `untried`: there was no attempt, and the job may come again at once.
    """

    started_at: float
    ended_at: float
    outcomes: tuple[tuple[int, Outcome], ...]
    taken: RouteTaken | None = None
    steps: tuple[Step, ...] = ()
    changes: tuple[Change, ...] = ()
    ours: bool = False
    made: tuple[MailboxAdded, ...] = ()
    untried: bool = False


class Session(Protocol):
    """An open way to one destination; used by one worker at a time."""

    @property
    def batch(self) -> int:
        """How many messages `attempt` likes to get at once."""
        ...

    @property
    def usable(self) -> bool:
        """Whether another attempt may be made on it."""
        ...

    async def attempt(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        """Make one attempt for each job; never raises for what the other side does."""
        ...

    async def close(self) -> None:
        """End it politely."""
        ...


class Deliverer(Protocol):
    """Finds ways and opens sessions."""

    async def at_once(self, job: LeasedDelivery) -> Attempt | None:
        """Make the attempt now where it is nothing but changes to be committed: deposits into mailboxes
        here. None where it takes more than that; it then goes by `route` and `connect`.
        """
        ...

    async def route(self, destination: str) -> Route:
        """Return the way to a destination (a domain, or ``"local"``). Raises `RouteFailed`."""
        ...

    async def connect(self, route: Route) -> Session:
        """Open a session to the first host of the route that takes us. Raises `RouteFailed`."""
        ...
