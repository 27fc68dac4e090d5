"""``postroad route``: where mail for an address would go."""

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import clean, print_json, print_line, print_table

if TYPE_CHECKING:
    from postroad.model import Host, Route
    from postroad.runtime.lookup import Found, Lead


def route(
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show every DNS question and its answer.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Split an address and show where its mail would go: hosts, preferences, all their addresses."""
    from postroad.model import Address
    from postroad.runtime.lifecycle import run
    from postroad.runtime.lookup import look_up
    from postroad.runtime.stranger import load_or_default

    parsed = Address.parse(address)
    settings = load_or_default(config)
    found: Found = run(look_up(settings, parsed))
    if as_json:
        print_json(_to_plain(found))
    else:
        _show(found, verbose)
    if found.refusal is not None:
        raise typer.Exit(Exit.NOUSER)
    refusals = [lead.refusal for lead in found.leads if lead.refusal is not None]
    if refusals:
        later = all(refusal.transient for refusal in refusals)
        raise typer.Exit(Exit.TEMPFAIL if later else Exit.NOHOST)


def _show(found: "Found", verbose: bool) -> None:
    print_line(f"local part  {found.address.local_part}")
    print_line(f"domain      {found.address.domain}")
    if found.store:
        print_line(f"note        only the DNS was asked: {found.store}", style="yellow")
    if found.refusal is not None:
        raise CommandFailed(str(found.refusal), Exit.NOUSER)
    for lead in found.leads:
        _show_lead(found, lead, verbose)


def _show_lead(found: "Found", lead: "Lead", verbose: bool) -> None:
    from postroad.model import PolicyType
    from postroad.service.links import rule_words

    if lead.address != found.address:
        print_line(f"leads to    {lead.address}")
    if lead.mailbox is not None:
        print_line(f"account     {lead.address}: a mailbox here", style="green")
        return
    if lead.ours:
        print_line("taken       here: bounces and complaints about mail of ours", style="green")
        return
    if verbose:
        for line in lead.lookups:
            print_line(f"asked       {line}", style="dim")
    if lead.route is None:
        print_line(f"no way      {lead.refusal}", style="red")
        return
    print_line(f"by          {lead.route.kind.value}, TLS {lead.route.tls.value}")
    for host, rule in zip(lead.route.hosts, lead.demands, strict=True):
        if rule.refusal is not None:
            print_line(f"not used    {host.name}: {clean(rule.refusal.text)}", style="red")
        elif rule.kind in (PolicyType.TLSA, PolicyType.STS):
            print_line(f"link        {host.name}: {rule_words(rule.policy)}", style="green")
    rows = [row for host in lead.route.hosts for row in _rows(host, lead.route)]
    print_table(("PREFERENCE", "HOST", "ADDRESS", "PORT"), rows, empty="no host")


def _rows(host: "Host", route: "Route") -> list[tuple[str, str, str, str]]:
    addresses = host.addresses or (host.problem or "no address",)
    port = str(route.port) if host.addresses else "-"
    return [(str(host.preference), host.name, address, port) for address in addresses]


def _to_plain(found: "Found") -> dict[str, object]:
    return {
        "address": str(found.address),
        "local_part": found.address.local_part,
        "domain": found.address.domain,
        "refusal": str(found.refusal) if found.refusal else None,
        "note": found.store or None,
        "leads": [lead_to_plain(each) for each in found.leads],
    }


def lead_to_plain(lead: "Lead") -> dict[str, object]:
    """Return a lead as plain values."""
    plain: dict[str, object] = {
        "address": str(lead.address),
        "local": lead.ours,
        "refusal": str(lead.refusal) if lead.refusal else None,
        "lookups": list(lead.lookups),
    }
    if lead.route is not None:
        plain |= {
            "kind": lead.route.kind.value,
            "tls": lead.route.tls.value,
            "port": lead.route.port,
            "hosts": [
                {
                    "name": host.name,
                    "preference": host.preference,
                    "addresses": list(host.addresses),
                    "problem": host.problem or None,
                    "link": rule.policy.value,
                    "link_refusal": str(rule.refusal) if rule.refusal else None,
                }
                for host, rule in zip(lead.route.hosts, lead.demands, strict=True)
            ],
        }
    return plain
