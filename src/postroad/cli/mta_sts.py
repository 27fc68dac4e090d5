"""``postroad mta-sts``: what to publish so that others send to us over verified links only."""

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import complain, print_json, print_line

if TYPE_CHECKING:
    from postroad.runtime.config import Config
    from postroad.service.domain_check import Record


def mta_sts(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN")],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Print the MTA-STS policy of a domain of ours, where it must be served, and the DNS records.

    Warns where the domain's MX records lead to hosts that the policy does not name.
    """
    from postroad.model import InvalidAddress, parse_domain
    from postroad.runtime.config import load_config
    from postroad.runtime.lifecycle import run
    from postroad.runtime.own_policy import own_policy

    try:
        name = parse_domain(domain)
    except InvalidAddress as error:
        raise CommandFailed(f"{domain!r} is no domain: {error}", Exit.USAGE) from None
    settings = load_config(config)
    policy = own_policy(settings)
    records, warnings = run(_records(name, settings))
    host = f"mta-sts.{name}"
    url = f"https://{host}/.well-known/mta-sts.txt"
    for warning in warnings:
        complain(warning)
    if as_json:
        texts = {each.name: each.data for each in records if each.type == "TXT"}
        found = {"domain": name, "url": url, "host": host, "policy": policy, "txt": texts}
        print_json({**found, "warnings": warnings})
        return
    print_line(f"{url} serves", style="bold")
    for line in policy.splitlines():
        print_line(f"    {line}")
    print_line("DNS records", style="bold")
    for each in records:
        print_line(f"    {each.zone_line()}")
    if not settings.listen.mta_sts:
        print_line(f"{host} has to lead to whatever serves the policy (listen.mta_sts is off)")


async def _records(domain: str, config: "Config") -> "tuple[list[Record], list[str]]":
    """Return the records, and what speaks against publishing them."""
    from postroad.runtime.outbound import make_resolver
    from postroad.runtime.own_policy import own_policy, policy_hosts
    from postroad.service.domain_check import (
        Setup,
        hosts_left_out,
        mended_tls_reports,
        sts_records,
        tls_report_record,
    )
    from postroad.trust.dmarc import DnsFailed
    from postroad.trust.mta_sts import write_record

    setup = Setup(
        hostname=config.server.hostname,
        sts_record=write_record(own_policy(config)),
        sts_hosts=policy_hosts(config),
        sts_mode=config.mta_sts.mode,
    )
    records = sts_records(domain, setup)
    resolver = make_resolver(config)
    try:
        left_out = await hosts_left_out(domain, setup, resolver)
        warnings = [left_out] if left_out else []
        try:
            records.append(await mended_tls_reports(domain, setup, resolver))
        except DnsFailed as error:
            warnings.append(f"{error}: what is published there is not known")
            records.append(tls_report_record(domain, setup))
    finally:
        await resolver.close()
    return records, warnings
