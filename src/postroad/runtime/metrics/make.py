"""Joins the counters of a process to those who tell of them."""

from collections.abc import Callable, Mapping
from importlib.metadata import version

from postroad.delivery.sources import Sources as SourceAddresses
from postroad.delivery.tally import LinkTally
from postroad.ports import Resolver
from postroad.queue import Queue
from postroad.runtime.config import Config
from postroad.runtime.follow import Follower, Teller
from postroad.runtime.mail_log import MailLog
from postroad.runtime.metrics.collect import Sources, collect
from postroad.runtime.metrics.live import Live, Shared
from postroad.runtime.metrics.text import write
from postroad.runtime.office import Office
from postroad.runtime.traces import Tracer, make_exporter
from postroad.servers.registry import Registry


def make_follower(office: Office, config: Config) -> Follower:
    """Return who tells what happens to messages."""
    store = office.store
    tellers: list[Teller] = []
    if config.log.mail:
        tellers.append(MailLog(store.queue, office.classify))
    telemetry = config.telemetry
    if telemetry.endpoint:
        exporter = make_exporter(telemetry.endpoint, telemetry.timeout_seconds)
        tellers.append(Tracer(store.queue, store.journey, exporter, config.server.hostname))
    return Follower(store=store.queue, journey=store.journey, clock=office.clock, tellers=tellers)


class Metrics:
    """All metrics of a server, as one of its processes tells them."""

    def __init__(
        self,
        office: Office,
        *,
        worker: int,
        queue: Queue,
        links: LinkTally,
        registries: Mapping[str, Registry],
        resolver: Callable[[], Resolver],
        addresses: Callable[[], SourceAddresses | None],
    ) -> None:
        writer = office.store.writer
        self._sources = Sources(
            worker,
            office.clock.now(),
            queue.tally,
            queue.look,
            links,
            writer.batches,
            writer.seconds,
            registries,
            resolver,
        )
        self._office = office
        self._addresses = addresses
        self._shared = Shared(self._counts, version("postroad"))
        self.live = Live(office.config.server.data_dir, self._sources, office.clock, self._blocked)

    async def text(self) -> str:
        """Return the metrics of all processes. Raises `StorageError`."""
        points = collect(self._sources, self._sources.look())
        for other in self.live.others():
            points += other.points
        return write([*points, *await self._shared.points()])

    async def _counts(self) -> dict[str, int]:
        return {state.value: n for state, n in (await self._office.desk.counts()).items()}

    def _blocked(self) -> tuple[tuple[str, str, float, str], ...]:
        addresses = self._addresses()
        if addresses is None:
            return ()
        now = self._office.clock.now()
        return tuple(
            (source, provider, until, str(reply))
            for source, provider, until, reply in addresses.blocked(now)
        )
