"""Reads the counters of one process."""

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from postroad.delivery.tally import LinkTally
from postroad.model.tally import Histogram
from postroad.network import DnsResolver
from postroad.ports import Resolver
from postroad.queue.look import QueueLook
from postroad.queue.tally import Tally
from postroad.servers.registry import Registry


class Point(Struct, frozen=True):
    """One value of a metric; of a histogram `value` is the sum, `counts` how many are in each part."""

    name: str
    labels: tuple[str, ...] = ()
    value: float = 0.0
    counts: tuple[int, ...] = ()

    def plus(self, other: "Point") -> "Point":
        """Return both together."""
        counts = tuple(map(sum, zip(self.counts, other.counts, strict=True)))
        return Point(self.name, self.labels, self.value + other.value, counts)


class Sources(Struct, frozen=True):
    """Where counters are. `look` tells how the queue stands; `resolver` is the one in force."""

    worker: int
    began_at: float
    tally: Tally
    look: Callable[[], QueueLook]
    links: LinkTally
    commit_groups: Histogram
    commit_seconds: Histogram
    registries: Mapping[str, Registry]
    resolver: Callable[[], Resolver]


def collect(sources: Sources, look: QueueLook) -> list[Point]:
    """Return all values of this process but those that all processes share."""
    return [
        Point("postroad_process_start_time_seconds", (str(sources.worker),), sources.began_at),
        *_queue(sources.tally, look),
        *_links(sources.links),
        _histogram("postroad_store_commit_groups", sources.commit_groups),
        _histogram("postroad_store_commit_seconds", sources.commit_seconds),
        *_servers(sources.registries),
        *_dns(sources.resolver()),
    ]


def _queue(tally: Tally, look: QueueLook) -> Iterator[Point]:
    for stream, count in tally.accepted.items():
        yield Point("postroad_messages_accepted", (stream,), count)
    for provider, streams in tally.outcomes.items():
        for stream, counts in streams.items():
            for outcome in ("delivered", "deferred", "bounced", "unknown"):
                labels = (stream, provider, outcome)
                yield Point("postroad_delivery_outcomes", labels, getattr(counts, outcome))
    yield _histogram("postroad_delivery_seconds", tally.seconds)
    yield _histogram("postroad_delivery_attempt_seconds", tally.attempt_seconds)
    yield Point("postroad_delivery_put_off", (), tally.put_off)
    yield Point("postroad_delivery_slowed", (), tally.slowed)
    yield Point("postroad_queue_in_memory", (), look.in_memory)
    yield Point("postroad_queue_unrecorded", (), look.unrecorded)
    yield Point("postroad_queue_destinations", (), look.count)
    yield Point("postroad_queue_destinations_left_alone", (), look.troubled)
    yield Point("postroad_queue_sessions", ("active",), look.active)
    yield Point("postroad_queue_sessions", ("idle",), look.idle)


def _links(links: LinkTally) -> Iterator[Point]:
    for tls in ("verified", "encrypted", "clear"):
        yield Point("postroad_delivery_links", (tls,), links.opened[tls])
    yield Point("postroad_delivery_link_failures", (), links.failed)
    yield Point("postroad_delivery_source_blocks", (), links.blocked)


def _servers(registries: Mapping[str, Registry]) -> Iterator[Point]:
    for service, registry in registries.items():
        yield Point("postroad_server_connections", (service,), len(registry))
        yield Point("postroad_server_connections_admitted", (service,), registry.admitted)
        yield Point("postroad_server_connections_refused", (service,), registry.refused)
        yield Point("postroad_server_connections_secured", (service,), registry.secured)


def _dns(resolver: Resolver) -> Iterator[Point]:
    if not isinstance(resolver, DnsResolver):
        return
    for answer, count in resolver.asked.items():
        yield Point("postroad_dns_lookups", (answer,), count)
    yield _histogram("postroad_dns_seconds", resolver.seconds)


def _histogram(name: str, histogram: Histogram) -> Point:
    return Point(name, (), histogram.total, tuple(histogram.counts))
