"""``postroad queue reschedule`` and ``cancel``: what is to be sent later, or not at all."""

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.moment import parse_future
from postroad.cli.opened import in_office, operator
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.queue import keys_of, left_alone, parse_key
from postroad.cli.show import complain, print_json, print_line, when

if TYPE_CHECKING:
    from postroad.runtime.office import Office

Ids = Annotated[
    list[str], typer.Argument(metavar="ID[/N]...", help="Queue ids, or N-th delivery, as ID/N.")
]
_WAITING = ("due", "held")


def reschedule(
    ids: Ids,
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="Not before: 2026-12-24T18:00, in UTC.")
    ],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Send messages that wait later, or sooner. Held ones are released for then."""
    due_at = parse_future(at)
    wanted = [parse_key(each) for each in ids]

    async def use(office: "Office") -> tuple[int, list[str]]:
        keys = await keys_of(office.desk, wanted)
        why_not = await left_alone(office.desk, keys, "reschedule", _WAITING)
        return await office.desk.reschedule(keys, due_at, operator()), why_not

    count, why_not = in_office(config, use)
    _tell(count, why_not, f"rescheduled for {when(due_at)} UTC", "rescheduled", as_json)


def cancel(ids: Ids, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """End messages that nobody has begun to send; nobody is told but the journey. What a worker has
    in hand is left alone: it is too late for that, and the command says so (exit code 65).
    """
    wanted = [parse_key(each) for each in ids]

    async def use(office: "Office") -> tuple[int, list[str]]:
        keys = await keys_of(office.desk, wanted)
        before = await left_alone(office.desk, keys, "cancel", _WAITING)
        count = await office.desk.cancel(keys, operator())
        if count + len(before) < len(keys):  # some were begun at this very moment
            before = await left_alone(office.desk, keys, "cancel", (*_WAITING, "dropped"))
        return count, before

    count, why_not = in_office(config, use)
    _tell(count, why_not, "cancelled", "cancelled", as_json)


def _tell(count: int, why_not: list[str], done: str, word: str, as_json: bool) -> None:
    if as_json:
        print_json({word: count, "left_alone": why_not})
    elif count:
        print_line(f"{count} {'delivery' if count == 1 else 'deliveries'} {done}")
    if why_not and not as_json and count:
        complain("\n".join(why_not))
    if why_not:
        raise CommandFailed("\n".join(why_not) if not count else "not all of them", Exit.DATAERR)
