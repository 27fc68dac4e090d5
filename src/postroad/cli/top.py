"""``postroad top``: a server at a glance, again and again."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.opened import in_office
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import clean, print_json, when

if TYPE_CHECKING:
    from rich.console import RenderableType

    from postroad.runtime.metrics.top import Overview
    from postroad.runtime.office import Office

_TITLES = ("DESTINATION", "WAITING", "SESSIONS", "OF", "TROUBLE")


def top(
    once: Annotated[bool, typer.Option("--once", help="Print it once, as plain text.")] = False,
    every: Annotated[
        float,
        typer.Option("--every", min=0.2, max=3600, metavar="SECONDS", help="How often to look."),
    ] = 2.0,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Watch a server: rates, the queue by destination, the slowest deliveries, recent failures. Ctrl-C
    ends it.
    """
    import sys

    from postroad.runtime.metrics.top import overview

    if as_json or once or not sys.stdout.isatty():
        found = in_office(config, overview)
        if as_json:
            import msgspec

            print_json(msgspec.to_builtins(found))
        else:
            print("\n".join(lines(found)))
        return

    async def watch(office: "Office") -> None:
        import asyncio

        from rich.live import Live

        with Live(screen=True, auto_refresh=False) as live:
            while True:
                live.update(_screen(await overview(office)), refresh=True)
                await asyncio.sleep(every)

    try:
        in_office(config, watch)
    except KeyboardInterrupt:
        return


def lines(found: "Overview") -> list[str]:
    """Return an overview as lines of plain text."""
    shown = [_head(found), _counts(found)]
    for name, titles, rows in _tables(found):
        if rows:
            shown += ["", name, *_columns(titles, rows)]
    return shown


def _head(found: "Overview") -> str:
    if not found.processes:
        return f"{when(found.at)} UTC  no server works on this store"
    rates = "  ".join(f"{word} {rate:.1f}/s" for word, rate in found.rates.items())
    count = f"{found.processes} process{'' if found.processes == 1 else 'es'}"
    return f"{when(found.at)} UTC  {count}  {rates}"


def _counts(found: "Overview") -> str:
    states = "  ".join(f"{state} {count}" for state, count in found.deliveries.items())
    return f"queue  {states}  in hand {found.in_memory}"


def _tables(found: "Overview") -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    return [
        (
            "Queue by destination",
            _TITLES,
            [
                (
                    f"{row.provider} from {row.pool}" if row.pool else row.provider,
                    str(row.waiting),
                    str(row.active),
                    str(row.limit),
                    row.trouble or "-",
                )
                for row in found.destinations
            ],
        ),
        (
            "Slowest of late",
            ("ID", "SECONDS", "WHERE"),
            [(slow.id, f"{slow.seconds:.3f}", slow.where) for slow in found.slowest],
        ),
        (
            "Failures of late",
            ("WHEN (UTC)", "ID", "WHAT", "WHERE", "REPLY"),
            [
                (when(each.at), each.id, each.what, each.where or "-", each.reply)
                for each in found.failures
            ],
        ),
        ("Blocked addresses", ("WHAT",), [(text,) for text in found.blocked]),
    ]


def _columns(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    table = [titles, *(tuple(clean(cell) for cell in row) for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(titles))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _screen(found: "Overview") -> "RenderableType":
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = [Text(_head(found), style="bold"), Text(_counts(found))]
    for name, titles, rows in _tables(found):
        if rows:
            table = Table(*titles, title=name, title_justify="left", box=box.SIMPLE_HEAD)
            for row in rows:
                table.add_row(*(Text(clean(cell)) for cell in row))
            parts.append(table)
    return Group(*parts)
