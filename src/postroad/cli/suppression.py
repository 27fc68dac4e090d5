"""``postroad suppression``: who gets nothing of a stream any more."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office, operator
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_line, print_table, when

if TYPE_CHECKING:
    from postroad.model import Suppression
    from postroad.runtime.office import Office
    from postroad.service.suppressions import Imported

app = typer.Typer(
    no_args_is_help=True,
    help="Who gets nothing of a stream any more, where streams.NAME.suppression is on.",
)

MAX_FILE_OCTETS = 256 * 1024 * 1024
_PIECE_OCTETS = 1024 * 1024

Addresses = Annotated[list[str], typer.Argument(metavar="ADDRESS...")]
Stream = Annotated[str, typer.Option("--stream", metavar="NAME", help="The list of this stream.")]
AnyStream = Annotated[
    str | None, typer.Option("--stream", metavar="NAME", help="Only the list of this stream.")
]


@app.command("list")
def list_(
    stream: AnyStream = None,
    address: Annotated[
        str | None, typer.Option("--address", metavar="ADDRESS", help="An address, or @domain.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List the addresses by stream, with the reason and what led to it."""
    folded = _folded(address)

    async def use(office: "Office") -> "list[Suppression]":
        return await office.suppressions.find(stream, folded, limit)

    found = in_office(config, use)
    if as_json:
        print_json(
            [
                {
                    "address": str(each.address),
                    "stream": each.stream,
                    "reason": each.reason.value,
                    "evidence": each.evidence,
                    "since": each.since,
                }
                for each in found
            ]
        )
        return
    rows = [
        (str(each.address), each.stream, each.reason.value, when(each.since), each.evidence)
        for each in found
    ]
    columns = ("ADDRESS", "STREAM", "REASON", "SINCE (UTC)", "EVIDENCE")
    print_table(columns, rows, empty="no address is suppressed")


@app.command("add")
def add(
    addresses: Addresses,
    stream: Stream,
    evidence: Annotated[
        str, typer.Option("--evidence", metavar="TEXT", help="Why, for who asks later.")
    ] = "",
    config: ConfigFile = None,
) -> None:
    """Put addresses on the list of a stream."""
    from postroad.model import Address

    parsed = [Address.parse(each) for each in addresses]

    async def use(office: "Office") -> int:
        return await office.suppressions.add(parsed, stream, by=operator(), evidence=evidence)

    print_line(f"{_counted(in_office(config, use))} added")


@app.command("remove")
def remove(
    addresses: Addresses,
    stream: Stream,
    force: Annotated[
        bool, typer.Option("--force", help="Even who complained or unsubscribed themselves.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Take addresses off the list of a stream, so that they get its mail again. Exit code 65 where none
    of them was on it.
    """
    from postroad.model import Address

    parsed = [Address.parse(each) for each in addresses]

    async def use(office: "Office") -> int:
        return await office.suppressions.remove(parsed, stream, by=operator(), force=force)

    count = in_office(config, use)
    if not count:
        raise CommandFailed(
            f"not on the list of {stream}; see: postroad suppression list --stream {stream}",
            Exit.DATAERR,
        )
    print_line(f"{_counted(count)} removed")


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", allow_dash=True, help="CSV; - reads standard input.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what is wrong, and what would be added.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Add what a CSV file names in its columns address and stream (reason, evidence and since may
    follow). Where a line is wrong, nothing is added.
    """
    from postroad.service.suppression_csv import opened

    with _opened(file) as octets, opened(octets) as table:

        async def use(office: "Office") -> "Imported":
            return await office.suppressions.read_csv(table, by=operator(), dry_run=dry_run)

        found = in_office(config, use)
    if dry_run:
        lines = f"{found.lines} line{'' if found.lines == 1 else 's'}"
        print_line(f"{lines}, all right; {_counted(found.added)} would be added")
    else:
        print_line(f"{_counted(found.added)} added")


@app.command("export")
def export(stream: AnyStream = None, config: ConfigFile = None) -> None:
    """Print the lists as CSV, as `import` reads it."""

    async def use(office: "Office") -> None:
        async for line in office.suppressions.write_csv(stream):
            sys.stdout.write(line)

    in_office(config, use)


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """Open the file, or what standard input has, to be read more than once."""
    if str(file) != "-":
        if file.stat().st_size > MAX_FILE_OCTETS:
            raise _too_large(file)
        with file.open("rb") as octets:
            yield octets
        return
    with TemporaryFile() as kept:
        size = 0
        while piece := sys.stdin.buffer.read(_PIECE_OCTETS):
            size += len(piece)
            if size > MAX_FILE_OCTETS:
                raise _too_large(file)
            kept.write(piece)
        yield kept


def _too_large(file: Path) -> CommandFailed:
    text = f"{file} is larger than {MAX_FILE_OCTETS} octets; import it in parts"
    return CommandFailed(text, Exit.DATAERR)


def _folded(text: str | None) -> str | None:
    from postroad.model import Address, parse_domain

    if text is None:
        return None
    return f"@{parse_domain(text[1:])}" if text.startswith("@") else Address.parse(text).folded


def _counted(count: int) -> str:
    return f"{count} address{'' if count == 1 else 'es'}"
