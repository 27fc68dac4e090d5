"""How commands speak: tables and colour in a terminal, plain text into pipes, JSON where asked."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any


def print_json(value: Any) -> None:
    """Print plain values as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print rows under their columns; `empty` on standard error where there is none."""
    listed = [[str(cell) for cell in row] for row in rows]
    if not listed:
        print(empty, file=sys.stderr)
    elif sys.stdout.isatty():
        _print_rich(columns, listed)
    else:
        _print_plain(columns, listed)


def print_line(text: str, *, style: str = "") -> None:
    """Print one line, in colour in a terminal."""
    if style and sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        Console(highlight=False, soft_wrap=True).print(Text(text, style=style))
    else:
        print(text)


def complain(text: str) -> None:
    """Print an error as one line per problem on standard error."""
    for line in text.splitlines() or [""]:
        print(f"postroad: {line}", file=sys.stderr)


def when(at: float) -> str:
    """Return a moment (seconds since 1970) as people read it, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def clean(text: str) -> str:
    """Return text that strangers wrote without the characters that steer a terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _print_rich(columns: Sequence[str], rows: list[list[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, header_style="bold")
    for row in rows:
        table.add_row(*(Text(clean(cell), style=_STYLES.get(cell, "")) for cell in row))
    Console(highlight=False).print(table)


def _print_plain(columns: Sequence[str], rows: list[list[str]]) -> None:
    table = [list(columns), *([clean(cell) for cell in row] for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(columns))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


_STYLES = {
    "due": "cyan",
    "leased": "blue",
    "held": "yellow",
    "delivered": "green",
    "bounced": "red",
    "expired": "red",
    "dropped": "magenta",
    "deposited": "green",
    "deferred": "yellow",
    "unknown": "yellow",
}
