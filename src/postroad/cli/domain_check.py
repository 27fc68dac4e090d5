"""``postroad domain check`` and ``postroad domain records``: what the DNS says, and should say."""

import ipaddress
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import clean, complain, print_json, print_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from postroad.ports import Resolver
    from postroad.runtime.config import Config
    from postroad.service.domain_check import Finding, Proposal, Record, Setup

HAS_PROBLEMS = 1

DomainArgument = Annotated[str, typer.Argument(metavar="DOMAIN")]
Addresses = Annotated[
    list[str] | None,
    typer.Option(
        "--address",
        metavar="IP",
        help="An address that mail leaves from; may be repeated. Else by the configuration.",
    ),
]
ReportsTo = Annotated[
    str, typer.Option("--reports-to", metavar="ADDRESS", help="Who gets DMARC and TLS reports.")
]


def check(
    domain: DomainArgument,
    address: Addresses = None,
    selector: Annotated[
        list[str] | None,
        typer.Option(
            "--selector", metavar="NAME", help="A DKIM selector to look for; may be repeated."
        ),
    ] = None,
    reports_to: ReportsTo = "",
    zone: Annotated[
        bool, typer.Option("--zone", help="Print only what is to be published, as a zone file.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Ask the DNS all that other servers ask of a domain; tell what is wrong, why it matters, and what
    to publish. Ends with 1 where there are problems, with 0 where there are warnings at most.
    """
    from postroad.model import parse_domain
    from postroad.runtime.lifecycle import run
    from postroad.service.domain_check import Level, zone_file

    name = parse_domain(domain)
    findings: list[Finding] = run(_check(config, name, address or (), selector or (), reports_to))
    if as_json:
        print_json({"domain": name, "findings": [_to_plain(each) for each in findings]})
    elif zone:
        wanted = dict.fromkeys(record for each in findings for record in each.records)
        print(zone_file(wanted), end="")
    else:
        _show(findings)
    if any(each.level is Level.PROBLEM for each in findings):
        raise typer.Exit(HAS_PROBLEMS)


def records(
    domain: DomainArgument,
    address: Addresses = None,
    reports_to: ReportsTo = "",
    zone: Annotated[bool, typer.Option("--zone", help="Print a zone file.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Print the records of a domain whose mail comes here and leaves from here.

    What is published already is kept as far as it does: a stricter policy, other senders.
    """
    from postroad.model import parse_domain
    from postroad.runtime.lifecycle import run
    from postroad.service.domain_check import zone_file

    name = parse_domain(domain)
    proposal: Proposal = run(_proposal(config, name, address or (), reports_to))
    wanted = proposal.records
    for problem in proposal.unknown:
        complain(f"{problem}: what is published there is not known, and may be stricter")
    if as_json:
        print_json([_record_to_plain(each) for each in wanted])
    elif zone:
        print(zone_file(wanted), end="")
    else:
        for each in wanted:
            print_line(each.zone_line())


async def _check(
    path: "Path | None",
    domain: str,
    addresses: "Sequence[str]",
    selectors: "Sequence[str]",
    reports_to: str,
) -> "list[Finding]":
    from postroad.service.domain_check import check_domain

    async with _asking(path, domain, addresses, selectors, reports_to) as (setup, resolver):
        return await check_domain(domain, setup, resolver, time.time())


async def _proposal(
    path: "Path | None", domain: str, addresses: "Sequence[str]", reports_to: str
) -> "Proposal":
    from postroad.service.domain_check import fitting_records

    async with _asking(path, domain, addresses, (), reports_to) as (setup, resolver):
        return await fitting_records(domain, setup, resolver)


@asynccontextmanager
async def _asking(
    path: "Path | None",
    domain: str,
    addresses: "Sequence[str]",
    selectors: "Sequence[str]",
    reports_to: str,
) -> "AsyncIterator[tuple[Setup, Resolver]]":
    """Give our side of the domain's records, and a resolver to ask for theirs."""
    from postroad.runtime.outbound import make_resolver
    from postroad.runtime.own_setup import own_setup

    config = _config(path)
    resolver = make_resolver(config)
    try:
        setup = await own_setup(
            config,
            resolver,
            domain=domain,
            addresses=parsed_addresses(addresses),
            selectors=selectors,
            reports_to=reports_to,
        )
        yield setup, resolver
    finally:
        await resolver.close()


def _config(path: "Path | None") -> "Config":
    from postroad.runtime.stranger import load_or_default

    return load_or_default(path)


def parsed_addresses(addresses: "Sequence[str]") -> "Sequence[str]":
    """Return what ``--address`` gave. Raises `CommandFailed` for what is no IP address."""
    for each in addresses:
        try:
            ipaddress.ip_address(each)
        except ValueError:
            raise CommandFailed(f"--address {each}: not an IP address", Exit.USAGE) from None
    return addresses


_STYLES = {"ok": "green", "warning": "yellow", "problem": "red"}
_MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


def _show(findings: "list[Finding]") -> None:
    for each in findings:
        level = each.level.value
        print_line(f"{_MARKS[level]} {each.topic:<8} {clean(each.text)}", style=_STYLES[level])
        if each.why:
            print_line(f"{'':18}{each.why}")
        for record in each.records:
            print_line(f"{'':18}publish: {clean(record.zone_line())}", style="bold")
    counts = {level: sum(each.level.value == level for each in findings) for level in _STYLES}
    print_line(f"{counts['ok']} ok, {counts['warning']} warnings, {counts['problem']} problems")


def _to_plain(finding: "Finding") -> dict[str, Any]:
    return {
        "topic": finding.topic,
        "level": finding.level.value,
        "text": finding.text,
        "why": finding.why or None,
        "records": [_record_to_plain(each) for each in finding.records],
    }


def _record_to_plain(record: "Record") -> dict[str, str]:
    return {
        "name": record.name,
        "type": record.type,
        "data": record.data,
        "line": record.zone_line(),
    }
