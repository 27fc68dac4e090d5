"""Joins the console to what it shows."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from postroad.ports import Resolver
from postroad.queue.look import QueueLook
from postroad.runtime.config import Config
from postroad.runtime.config.streams import StreamSection
from postroad.runtime.health import look_at_health
from postroad.runtime.metrics.live import read
from postroad.runtime.metrics.top import overview
from postroad.runtime.office import Office
from postroad.runtime.own_setup import own_setup
from postroad.service.bulk import Bulk
from postroad.service.domain_check import Finding, Proposal, check_domain, fitting_records

if TYPE_CHECKING:
    from postroad.web.console.desk import ConsoleDesk, StreamShown


class Surroundings(Struct, frozen=True):
    """What a process has beyond its office: the resolver in force, and the ports that it has bound."""

    resolver: Callable[[], Resolver]
    listening: Callable[[], Mapping[str, Sequence[tuple[str, int]]]]


def make_console(office: Office, around: Surroundings) -> "ConsoleDesk":
    """Return what the routes of the console may call."""
    from postroad.web.console.desk import ConsoleDesk

    config = office.config
    reports_to = config.dmarc_reports.contact or config.tls_reports.contact

    def looks() -> Sequence[QueueLook]:
        return [each.look for each in read(config.server.data_dir, office.clock.now())]

    async def health() -> Sequence[Finding]:
        return await look_at_health(office, around.resolver(), around.listening())

    async def check(domain: str) -> Sequence[Finding]:
        resolver = around.resolver()
        setup = await own_setup(config, resolver, domain=domain)
        return await check_domain(domain, setup, resolver, office.clock.now())

    async def records(domain: str) -> Proposal:
        resolver = around.resolver()
        setup = await own_setup(config, resolver, domain=domain)
        return await fitting_records(domain, setup, resolver)

    return ConsoleDesk(
        clock=office.clock,
        figures=office.figures,
        desk=office.desk,
        bulk=Bulk(office.desk, office.clock),
        journeys=office.journeys,
        why=office.why,
        classify=office.classify,
        domains=office.domains,
        aliases=office.aliases,
        accounts=office.accounts,
        signing_keys=office.keys,
        api_keys=office.api_keys,
        reports=office.reports,
        templates=office.templates,
        looks=looks,
        overview=lambda: overview(office),
        health=health,
        check=check,
        records=records,
        streams=_streams(config),
        reports_to=str(reports_to or ""),
    )


def _streams(config: Config) -> "tuple[StreamShown, ...]":
    from postroad.web.console.desk import StreamShown

    return tuple(
        [
            StreamShown(name, section.kind.value, section.keeps_list, _own(section))
            for name, section in config.streams.items()
        ]
    )


def _own(section: StreamSection) -> dict[str, Any]:
    """What somebody wrote down for it; no setting of a stream is secret."""
    return section.model_dump(mode="json", exclude_unset=True, exclude={"kind"})
