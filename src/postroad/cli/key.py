"""``postroad key``: the keys that sign mail (DKIM), from their making to their end."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_line, print_table, when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postroad.model import StoredKey
    from postroad.runtime.office import Office
    from postroad.service.keys import Seen

app = typer.Typer(no_args_is_help=True, help="Keys that sign mail (DKIM).")

DomainArgument = Annotated[str, typer.Argument(metavar="DOMAIN")]
MaybeDomain = Annotated[str | None, typer.Argument(metavar="[DOMAIN]")]
SelectorArgument = Annotated[str, typer.Argument(metavar="SELECTOR")]
Force = Annotated[
    bool, typer.Option("--force", help="Even where mail of the domain then leaves unsigned.")
]


@app.command("add")
def add(
    domain: DomainArgument,
    algorithm: Annotated[
        str, typer.Option(metavar="KIND", help="rsa, ed25519, or both: a key of each.")
    ] = "both",
    selector: Annotated[
        str, typer.Option(metavar="NAME", help="Its name in the DNS; made of the day if not given.")
    ] = "",
    sign_now: Annotated[
        bool, typer.Option("--sign-now", help="Sign at once, without a look at the DNS.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Make keys for a domain and print the records to publish.

    A key signs as soon as its record is seen in the DNS; the server looks for it by itself.
    """
    from postroad.model import parse_domain
    from postroad.service.keys import BOTH
    from postroad.trust.dkim import Algorithm

    kinds = {"rsa": BOTH[:1], "ed25519": (Algorithm.ED25519_SHA256,), "both": BOTH}
    if algorithm not in kinds:
        raise CommandFailed(f"--algorithm {algorithm}: rsa, ed25519 or both is wanted", Exit.USAGE)
    name = parse_domain(domain)

    async def use(office: "Office") -> "list[StoredKey]":
        return await office.keys.add(name, kinds[algorithm], selector=selector, sign_now=sign_now)

    _print_keys(in_office(config, use), as_json, records=True)


@app.command("list")
def list_keys(
    domain: MaybeDomain = None, as_json: AsJson = False, config: ConfigFile = None
) -> None:
    """List keys and how they stand: waiting, published, signing, retired."""
    name = _parsed(domain)

    async def use(office: "Office") -> "list[StoredKey]":
        return office.keys.all(name)

    _print_keys(in_office(config, use), as_json)


@app.command("show")
def show(
    domain: DomainArgument,
    selector: Annotated[str | None, typer.Argument(metavar="[SELECTOR]")] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Print the DNS records of a domain's keys, or of one."""
    name = _parsed(domain)
    assert name is not None

    async def use(office: "Office") -> "list[StoredKey]":
        return [office.keys.get(name, selector)] if selector else office.keys.all(name)

    _print_keys(in_office(config, use), as_json, records=True)


@app.command("check")
def check(domain: MaybeDomain = None, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Look for the records in the DNS; keys whose record is there sign from then on.

    Exit status 1 where a record is missing or wrong.
    """
    name = _parsed(domain)

    async def use(office: "Office") -> "list[Seen]":
        from postroad.runtime.outbound import make_resolver

        resolver = make_resolver(office.config)
        try:
            return await office.keys.check(resolver, name)
        finally:
            await resolver.close()

    seen = in_office(config, use)
    if as_json:
        print_json([{**_plain(each.key), "problem": each.problem} for each in seen])
    else:
        rows = [
            (each.key.domain, each.key.selector, _state(each.key), each.problem or "published")
            for each in seen
        ]
        print_table(("DOMAIN", "SELECTOR", "STATE", "IN THE DNS"), rows, empty=_NONE)
    if any(each.problem for each in seen):
        raise typer.Exit(1)


@app.command("rotate")
def rotate(domain: DomainArgument, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Make successors for the keys that sign, and print their records.

    Once these are seen in the DNS, the server waits (`trust.key_wait_seconds`) and changes over.
    """
    name = _parsed(domain)
    assert name is not None

    async def use(office: "Office") -> "list[StoredKey]":
        return await office.keys.rotate(name)

    _print_keys(in_office(config, use), as_json, records=True)


@app.command("retire")
def retire(
    domain: DomainArgument,
    selector: SelectorArgument,
    force: Force = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Have a key sign no more. Its record stays until mail that it signed has arrived: a week.

    The last key that signs for a domain is retired by --force only.
    """
    name = _parsed(domain)
    assert name is not None

    async def use(office: "Office") -> "list[StoredKey]":
        return [office.keys.retire(name, selector, force=force)]

    _print_keys(in_office(config, use), as_json)


@app.command("remove")
def remove(
    domain: DomainArgument,
    selector: SelectorArgument,
    force: Force = False,
    config: ConfigFile = None,
) -> None:
    """Forget a key that does not sign.

    One that is to sign next, where no other would, is forgotten by --force only.
    """
    name = _parsed(domain)
    assert name is not None

    async def use(office: "Office") -> None:
        office.keys.remove(name, selector, force=force)

    in_office(config, use)


_NONE = "there are no keys; make some: postroad key add DOMAIN"


def _parsed(domain: str | None) -> str | None:
    from postroad.model import parse_domain

    return parse_domain(domain) if domain else None


def _state(key: "StoredKey") -> str:
    import time

    return key.state(time.time()).value


def _plain(key: "StoredKey") -> dict[str, Any]:
    from postroad.service.keys import signing_key

    public = signing_key(key)
    return {
        "domain": key.domain,
        "selector": key.selector,
        "algorithm": key.algorithm,
        "state": _state(key),
        "created_at": key.created_at,
        "published_at": key.published_at,
        "signs_from": key.signs_from,
        "signs_until": key.signs_until,
        "name": public.name,
        "record": public.record(),
    }


def _print_keys(keys: "Sequence[StoredKey]", as_json: bool, *, records: bool = False) -> None:
    from postroad.service.keys import signing_key
    from postroad.trust.dkim import zone_line

    if as_json:
        print_json([_plain(each) for each in keys])
        return
    if records:
        for each in keys:
            public = signing_key(each)
            print_line(f"; {each.domain}: {each.algorithm}, {_state(each)}")
            print_line(zone_line(public.name, public.record()))
        if not keys:
            print_table((), (), empty=_NONE)
        return
    rows = [
        (
            each.domain,
            each.selector,
            each.algorithm,
            _state(each),
            when(each.created_at),
            when(each.signs_from) if each.signs_from else "-",
            when(each.signs_until) if each.signs_until else "-",
        )
        for each in keys
    ]
    columns = ("DOMAIN", "SELECTOR", "ALGORITHM", "STATE", "MADE (UTC)", "SIGNS FROM", "UNTIL")
    print_table(columns, rows, empty=_NONE)
