"""Limits and times of the queue."""

from collections.abc import Callable, Mapping
from enum import Enum

from msgspec import Struct

from postroad.queue.quiet import QuietHours

_HOUR = 3600.0
_DAY = 24 * _HOUR


class UnknownPolicy(Enum):
    """What follows when a connection died after the final dot (RFC 1047)."""

    RETRY = "retry"
    HOLD = "hold"


class StreamPolicy(Struct, frozen=True):
    """How the queue treats the mail of one stream. Times that are None are those of the queue. `pool`
    names the source addresses that it leaves from. In `quiet` hours nothing of it is sent.
    """

    unknown: UnknownPolicy = UnknownPolicy.RETRY
    retry_first_seconds: float | None = None
    retry_max_seconds: float | None = None
    lifetime_seconds: float | None = None
    delay_notice_seconds: float | None = None
    pool: str = ""
    quiet: QuietHours | None = None


_NOTHING_ELSE = StreamPolicy()


class ProviderLimit(Struct, frozen=True):
    """What a provider gets of this process: messages a minute and sessions at once. 0: no limit."""

    per_minute: float = 0.0
    concurrency: int = 0


class QueueSettings(Struct, frozen=True, kw_only=True):
    """Settings of one queue process. `hostname` is our name in reports; `node` names this process among
    those that share a store, and must stay the same over a restart. `inherits` tells whether what a
    process of that name left behind is for this one: it will not come back itself.

    Retries (RFC 5321 §4.5.4.1): `retry_first_seconds` after the first failure, twice as long after each
    further one up to `retry_max_seconds`, give or take `retry_jitter` (a fraction); given up after
    `lifetime_seconds` (`null_sender_lifetime_seconds` for reports). One delay notice after
    `delay_notice_seconds` (0: none).

    `unknown` is what follows an unknown outcome; `streams` tells what differs for some streams.

    A destination starts with `concurrency_initial` sessions and may come to `concurrency_max`;
    `max_sessions` bounds all together. One that cannot be reached is left alone for
    `backoff_first_seconds`, doubling up to `backoff_max_seconds`.

    `pool` is where mail of streams without a policy leaves from; `providers` bounds what some get (by
    `Route.provider`). A destination that asked us to slow down, by 421 or 4.7.x, gets more again after
    `recover_seconds` without complaint.

    `max_in_memory` bounds the deliveries that this process holds, `max_unrecorded` the attempts whose
    outcome is not stored yet.
    """

    hostname: str
    node: str = "main"
    inherits: Callable[[str], bool] | None = None

    retry_first_seconds: float = 300.0
    retry_max_seconds: float = 4 * _HOUR
    retry_jitter: float = 0.1
    lifetime_seconds: float = 5 * _DAY
    null_sender_lifetime_seconds: float = 2 * _DAY
    delay_notice_seconds: float = 4 * _HOUR
    unknown: UnknownPolicy = UnknownPolicy.RETRY
    streams: Mapping[str, StreamPolicy] = {}

    concurrency_initial: int = 5
    concurrency_max: int = 20
    max_sessions: int = 500
    idle_session_seconds: float = 5.0
    backoff_first_seconds: float = 60.0
    backoff_max_seconds: float = 900.0
    failed_sessions_before_backoff: int = 3
    route_cache_min_seconds: float = 5.0
    pool: str = ""
    providers: Mapping[str, ProviderLimit] = {}
    recover_seconds: float = 60.0

    max_in_memory: int = 20_000
    max_unrecorded: int = 2_000
    record_batch: int = 500
    lease_batch: int = 1_000
    lease_seconds: float = 900.0
    poll_seconds: float = 1.0

    dsn_return_max_octets: int = 256 * 1024
    dsn_header_max_octets: int = 64 * 1024

    @property
    def holds_any(self) -> bool:
        """Whether any stream holds what has an unknown outcome."""
        return self.unknown is UnknownPolicy.HOLD or any(
            policy.unknown is UnknownPolicy.HOLD for policy in self.streams.values()
        )

    @property
    def has_quiet_hours(self) -> bool:
        """Whether any stream has quiet hours."""
        return any(policy.quiet is not None for policy in self.streams.values())

    def of(self, stream: str) -> StreamPolicy:
        """Return what differs for the mail of a stream."""
        return self.streams.get(stream, _NOTHING_ELSE)

    @property
    def pools(self) -> frozenset[str]:
        """All pools of source addresses; empty where nobody asks for one."""
        named = {self.pool, *(policy.pool for policy in self.streams.values())}
        return frozenset(named) if named != {""} else frozenset()

    def pool_of(self, stream: str) -> str:
        """Return the pool that mail of that stream leaves from."""
        policy = self.streams.get(stream)
        return self.pool if policy is None else policy.pool

    def unknown_of(self, stream: str) -> UnknownPolicy:
        """Return what follows an unknown outcome of a message of that stream."""
        policy = self.streams.get(stream)
        return self.unknown if policy is None else policy.unknown
