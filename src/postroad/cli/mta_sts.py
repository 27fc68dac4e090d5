"""``postroad mta-sts``: what to publish so that others send to us over verified links only."""

from typing import Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_line


def mta_sts(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN")],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Print the MTA-STS policy of a domain of ours, where it must be served, and the DNS records."""
    from postroad.model import InvalidAddress, parse_domain
    from postroad.runtime.config import load_config
    from postroad.runtime.own_policy import own_policy
    from postroad.trust.mta_sts import write_record

    try:
        name = parse_domain(domain)
    except InvalidAddress as error:
        raise CommandFailed(f"{domain!r} is no domain: {error}", Exit.USAGE) from None
    settings = load_config(config)
    policy = own_policy(settings)
    host = f"mta-sts.{name}"
    records = {f"_mta-sts.{name}": write_record(policy)}
    if settings.tls_reports.contact:
        records[f"_smtp._tls.{name}"] = f"v=TLSRPTv1; rua=mailto:{settings.tls_reports.contact}"
    url = f"https://{host}/.well-known/mta-sts.txt"
    if as_json:
        print_json({"domain": name, "url": url, "host": host, "policy": policy, "txt": records})
        return
    print_line(f"{url} serves", style="bold")
    for line in policy.splitlines():
        print_line(f"    {line}")
    print_line("DNS records", style="bold")
    print_line(f"    {host}.  A  (the address of the machine that serves the policy)")
    for owner, text in records.items():
        print_line(f'    {owner}.  TXT  "{text}"')
