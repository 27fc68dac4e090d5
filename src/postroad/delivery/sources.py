"""Our addresses that mail leaves from: which one is next, which one a provider blocks, and what each may
send today.

A server that refuses a source address as such (`Category.SOURCE_ADDRESS_BLOCK`) says nothing about the
message: where there is another address of ours, or another family, that one is used, and the one that
was refused comes last at that provider for a while. Where there is none, the refusal counts as any.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from postroad.delivery.allowance import Allowance
from postroad.delivery.settings import DeliverySettings, Source
from postroad.delivery.tally import LinkTally
from postroad.message.bounce.classify import Category, Classification, classify
from postroad.model import Outcome, PermanentFailure, Reply, Route, TemporaryFailure
from postroad.ports import Clock, Ledger, SourceStore

_MAX_BLOCKS = 10_000

Classify: TypeAlias = Callable[[Reply, str], Classification]
"""Returns what a reply of a server, whose name may be ``""``, means."""


class Sources:
    """Knows all source addresses. Without `store` and `ledger` there are no caps."""

    def __init__(
        self,
        clock: Clock,
        settings: DeliverySettings,
        store: SourceStore | None = None,
        ledger: Ledger | None = None,
        classify: Classify = classify,
        tally: LinkTally | None = None,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._store = store
        self._ledger = ledger
        self._classify = classify
        self._tally = tally or LinkTally()
        self._default = (
            Source(settings.source_ipv4 or "0.0.0.0"),
            Source(settings.source_ipv6 or "::"),
        )
        self._turn = 0
        self._blocked: dict[tuple[str, str], tuple[float, Reply]] = {}
        self._allowances: dict[tuple[str, str], Allowance] = {}

    def choose(self, route: Route, address: str) -> list[Source]:
        """Return the sources from which to try an address of the route, the best first.

        Those that are blocked are left out as long as there is another for any address of the route.
        """
        turn, self._turn = self._turn, self._turn + 1
        free = [each for each in self._free(route) if _same_family(each.address, address)]
        if not free:
            if self._has_free(route):
                return []
            pool = self._pool(route)
            free = [each for each in pool if _same_family(each.address, address)]
        start = turn % len(free) if free else 0
        return free[start:] + free[:start]

    def is_block(self, reply: Reply, host: str) -> bool:
        """Whether a server refuses our address, whatever we bring."""
        return self._classify(reply, host).category is Category.SOURCE_ADDRESS_BLOCK

    def blocks(self, outcome: Outcome | None, host: str) -> bool:
        """Whether an outcome is that a server refused our address."""
        return isinstance(outcome, TemporaryFailure | PermanentFailure) and self.is_block(
            outcome.reply, host
        )

    def block(self, route: Route, source: Source, reply: Reply) -> bool:
        """A provider refuses a source. Return whether there is another one for the route."""
        if len(self._blocked) >= _MAX_BLOCKS:
            del self._blocked[next(iter(self._blocked))]
        self._tally.blocked += 1
        until = self._clock.now() + self._settings.block_seconds
        self._blocked[source.address, route.provider] = until, reply
        return self._has_free(route)

    def allowance(self, route: Route, source: Source) -> Allowance | None:
        """Return what counts what goes to the route's provider, None where nothing bounds it."""
        if not source.plan or self._store is None or self._ledger is None:
            return None
        key = source.address, route.provider
        found = self._allowances.get(key)
        if found is None:
            found = Allowance(source, route.provider, self._store, self._ledger, self._clock)
            self._allowances[key] = found
        return found

    def blocked(self, now: float) -> list[tuple[str, str, float, Reply]]:
        """Return (source, provider, until, reply) of what is blocked now."""
        return [
            (source, provider, until, reply)
            for (source, provider), (until, reply) in self._blocked.items()
            if self._holds(until, now)
        ]

    def _pool(self, route: Route) -> Sequence[Source]:
        return self._settings.pools.get(route.pool, self._default)

    def _free(self, route: Route) -> list[Source]:
        pool = self._pool(route)
        if not self._blocked:
            return list(pool)
        now = self._clock.now()
        return [
            each
            for each in pool
            if (found := self._blocked.get((each.address, route.provider))) is None
            or not self._holds(found[0], now)
        ]

    def _has_free(self, route: Route) -> bool:
        free = self._free(route)
        return any(
            _same_family(each.address, address)
            for host in route.hosts
            for address in host.addresses
            for each in free
        )

    def _holds(self, until: float, now: float) -> bool:
        return now < until <= now + self._settings.block_seconds


def words_of(source: Source) -> str:
    """Return what a source is called where people see it."""
    return {"0.0.0.0": "IPv4", "::": "IPv6"}.get(source.address, source.address)


def binding(source: Source) -> str | None:
    """Return the address to bind to; None leaves it to the operating system."""
    return None if source.address in ("0.0.0.0", "::") else source.address


def _same_family(one: str, other: str) -> bool:
    return (":" in one) is (":" in other)
