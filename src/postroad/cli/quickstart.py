"""``postroad quickstart``: from nothing to a mail server for a domain."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.options import AsJson
from postroad.cli.show import print_json, print_line

if TYPE_CHECKING:
    from postroad.runtime.quickstart import Done, Plan


def quickstart(
    domain: Annotated[
        str, typer.Argument(metavar="DOMAIN", help="The domain that gets mail here.")
    ],
    hostname: Annotated[
        str | None, typer.Option(metavar="NAME", help="This machine's public name; mail.DOMAIN.")
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="DIR",
            help="Put everything below this directory, with ports that need no privileges. Without "
            "it: /etc/postroad and /var/lib/postroad for root, ./postroad for others.",
        ),
    ] = None,
    account: Annotated[
        str, typer.Option(metavar="LOCAL-PART", help="The first account.")
    ] = "postmaster",
    force: Annotated[
        bool, typer.Option("--force", help="Write an existing configuration anew.")
    ] = False,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="Print only a systemd unit for this configuration.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write configuration and certificate, make domain and first account, print the DNS records."""
    from postroad.model import Address, parse_domain
    from postroad.runtime.lifecycle import run
    from postroad.runtime.quickstart import make_plan, set_up, systemd_unit, write_files

    name = parse_domain(domain)
    first = Address.parse(f"{account}@{name}")
    plan = make_plan(
        name,
        hostname=parse_domain(hostname) if hostname else None,
        directory=directory,
        account=first.local_part,
    )
    if systemd:
        print(systemd_unit(plan), end="")
        return
    write_files(plan, force=force)
    done: Done = run(set_up(plan))
    if as_json:
        print_json(_to_plain(plan, done))
    else:
        _print(plan, done)


def _to_plain(plan: "Plan", done: "Done") -> dict[str, object]:
    from postroad.runtime.quickstart import dns_records

    return {
        "config": str(plan.config_file),
        "data_dir": str(plan.data_dir),
        "certificate": str(plan.certificate),
        "self_signed": done.self_signed,
        "account": str(plan.first_account),
        "password": done.password,
        "dns": dns_records(plan.domain, done.config, done.dkim),
    }


def _print(plan: "Plan", done: "Done") -> None:
    from postroad.runtime.quickstart import dns_records, service_user, systemd_unit

    file = plan.config_file
    print_line("Written", style="bold")
    print_line(f"  configuration  {file}")
    print_line(f"  mail           {plan.data_dir}")
    print_line(f"  certificate    {plan.certificate}")
    if done.self_signed:
        print_line(
            "  The certificate is signed by itself, so mail programs will warn. Put a real one in its "
            "place and reload.",
            style="yellow",
        )
    print_line(f"\nAccount {plan.first_account}", style="bold")
    if done.password is None:
        print_line(
            f"  was there already; a new password: postroad account password {plan.first_account}"
        )
    else:
        print_line(f"  password       {done.password}")
        print_line("  It is kept as a hash only; note it now.")
    print_line("\nDNS records to publish", style="bold")
    print_line(dns_records(plan.domain, done.config, done.dkim))
    print_line("Next", style="bold")
    if plan.user:
        print_line(
            f"  useradd --system --home-dir {plan.data_dir} --shell /usr/sbin/nologin {plan.user}"
            f" && chown -R {plan.user}: {plan.data_dir} {plan.key.parent}"
        )
        print_line(
            f"  postroad quickstart {plan.domain} --systemd > /etc/systemd/system/postroad.service"
        )
        print_line("  systemctl enable --now postroad")
        print_line("\nThe systemd unit", style="bold")
        print_line(systemd_unit(plan))
    else:
        print_line(f"  postroad serve --config {file}")
        print_line("  as a service: add --systemd to this command for a unit file")
        if os.geteuid() == 0:
            user = service_user(plan)
            print_line(f"  which runs as {user}; first: chown -R {user}: {plan.directory}")
