"""``postroad certificate``: what there is, and a new one now."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import clean, print_json, print_line, when

if TYPE_CHECKING:
    from postroad.runtime.certificate import Facts

app = typer.Typer(no_args_is_help=True, help="The certificate of this server: list, renew.")


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Show the certificate in use: names, issuer, life, its TLSA record, and failed renewals."""
    import time

    from postroad.runtime.certificate import read_facts
    from postroad.runtime.config import AcmeMode, load_config
    from postroad.runtime.privileges import become_owner
    from postroad.runtime.renewal import read_attempts

    settings = load_config(config)
    become_owner(settings.server.data_dir)
    files = settings.certificate_files
    if files is None:
        raise CommandFailed(
            "there is no certificate: set tls.certificate and tls.key, or tls.acme", Exit.CONFIG
        )
    try:
        facts = read_facts(files[0].read_bytes())
    except ValueError as error:
        raise CommandFailed(f"{files[0]}: no certificate: {error}", Exit.DATAERR) from None
    plain = _to_plain(facts, time.time())
    plain |= {"file": str(files[0]), "acme": settings.tls.acme.value}
    if settings.tls.acme is not AcmeMode.OFF:
        attempts = read_attempts(settings.acme_directory)
        plain |= {"failures": attempts.failures, "next_try": attempts.next_at or None}
        plain["error"] = attempts.error or None
    if as_json:
        print_json([plain])
        return
    _show(plain)


@app.command("renew")
def renew(
    force: Annotated[
        bool, typer.Option("--force", help="Also when the one there is has long to live.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Get a new certificate from the authority now; a server that runs takes it up by itself."""
    import time

    from postroad.ports.authority import IssueFailed
    from postroad.runtime.config import AcmeMode, load_config
    from postroad.runtime.lifecycle import run
    from postroad.runtime.privileges import become_owner
    from postroad.runtime.renewal import Renewal

    settings = load_config(config)
    if settings.tls.acme is AcmeMode.OFF:
        raise CommandFailed(
            "tls.acme is off: the certificate is yours to renew, and the server uses the new files "
            f"within {settings.tls.watch_seconds:g} s",
            Exit.CONFIG,
        )
    become_owner(settings.server.data_dir)
    renewal = Renewal(settings)
    if not force and (due := renewal.due_at()) > time.time():
        print_line(f"the certificate is good; it is renewed from {when(due)} on (--force: now)")
        return
    try:
        facts = run(renewal.renew())
    except IssueFailed as error:
        raise CommandFailed(f"no new certificate: {error.reason}", Exit.TEMPFAIL) from None
    _show(_to_plain(facts, time.time()))


def _to_plain(facts: "Facts", now: float) -> dict[str, Any]:
    state = "good"
    if facts.ends <= now:
        state = "expired"
    elif facts.begins > now:
        state = "not valid yet"
    elif facts.self_signed:
        state = "signed by itself"
    elif facts.renew_at <= now:
        state = "to be renewed"
    return {
        "names": list(facts.names),
        "state": state,
        "issuer": facts.issuer,
        "begins": facts.begins,
        "ends": facts.ends,
        "renew_at": facts.renew_at,
        "tlsa": facts.tlsa,
    }


def _show(plain: dict[str, Any]) -> None:
    style = "green" if plain["state"] == "good" else "yellow"
    print_line(f"names    {', '.join(map(clean, plain['names']))}")
    print_line(f"state    {plain['state']}", style=style)
    print_line(f"issuer   {clean(plain['issuer'])}")
    print_line(f"valid    {when(plain['begins'])} to {when(plain['ends'])}")
    if plain["state"] != "signed by itself":
        print_line(f"renewed  from {when(plain['renew_at'])} on")
    print_line(f"TLSA     {plain['tlsa']}")
    if "file" in plain:
        print_line(f"file     {plain['file']}")
    if plain.get("failures"):
        print_line(
            f"failed   {plain['failures']} times, next try {when(plain['next_try'])}: "
            f"{clean(plain['error'] or '')}",
            style="red",
        )
