"""``postroad account quota``: how much mail an account has, and may have."""

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.people import AddressArgument
from postroad.cli.show import print_json, print_table

if TYPE_CHECKING:
    from postroad.runtime.office import Office
    from postroad.service.quotas import QuotaReport

_DEFAULT = "default"


def quota(
    address: AddressArgument,
    octets: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="At most so many octets, as in '2 GiB'; 0: no limit; default: quota.octets.",
        ),
    ] = None,
    messages: Annotated[
        str | None,
        typer.Option(
            metavar="COUNT",
            help="At most so many messages; 0: no limit; default: quota.messages.",
        ),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Show how much mail an account has and may have, or say how much it may have."""
    from msgspec.structs import replace

    from postroad.model import Address

    parsed = Address.parse(address)

    async def use(office: "Office") -> "QuotaReport":
        desk = office.quota_desk
        own = (await desk.report(parsed)).own
        if octets is not None:
            own = replace(own, octets=_number(octets, "--octets"))
        if messages is not None:
            own = replace(own, messages=_number(messages, "--messages"))
        if octets is not None or messages is not None:
            await desk.set(parsed, own)
        return await desk.report(parsed)

    report = in_office(config, use)
    limits, usage = report.quota, report.usage
    if as_json:
        print_json(
            {
                "address": str(parsed),
                "octets": {"used": usage.octets, "limit": limits.octets or None},
                "messages": {"used": usage.messages, "limit": limits.messages or None},
            }
        )
        return
    rows = [
        ("octets", str(usage.octets), _limit(limits.octets, report.own.octets)),
        ("messages", str(usage.messages), _limit(limits.messages, report.own.messages)),
    ]
    print_table(("OF", "USED", "LIMIT"), rows, empty="nothing is limited")


def _limit(limit: int | None, own: int | None) -> str:
    text = str(limit) if limit else "none"
    return f"{text} (default)" if own is None else text


def _number(text: str, option: str) -> int | None:
    from postroad.runtime.config.values import parse_octets

    if text == _DEFAULT:
        return None
    try:
        return parse_octets(text)
    except ValueError as error:
        raise CommandFailed(f"{option}: {error}", Exit.USAGE) from None
