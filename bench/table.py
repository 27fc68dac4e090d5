"""The table, for a terminal, for a pipe and for Markdown. Pure: results in, text out."""

from collections.abc import Callable, Sequence

from rich.table import Table

from bench.contest import Result
from bench.figures import Met, spread

NOISY = 0.25
"""A spread beyond which a figure says little."""
USUAL_RUNS = 5

_STYLES = {Met.AIM: "bold green", Met.MUST: "green", Met.MISSED: "bold red", Met.NO_GOAL: ""}
_WORDS = {Met.AIM: "aim", Met.MUST: "must", Met.MISSED: "missed", Met.NO_GOAL: ""}

COLUMNS: tuple[tuple[str, bool, Callable[[Result], str]], ...] = (
    ("row", False, lambda result: result.name),
    ("what", False, lambda result: result.title),
    ("ours", True, lambda result: figure(result.ours)),
    ("peer", True, lambda result: figure(result.peer)),
    ("unit", False, lambda result: result.unit),
    ("against", False, lambda result: result.peer_name),
    ("ratio", True, lambda result: times(result.ratio)),
    ("must", True, lambda result: goal(result, result.must)),
    ("aim", True, lambda result: goal(result, result.aim)),
    ("met", False, lambda result: "not measured" if result.skipped else _WORDS[result.met]),
    ("spread", True, lambda result: _spreads(result)),
)
"""Heading, whether figures stand to the right, and what is in it."""


def figure(value: float | None) -> str:
    """Return a figure with three digits that count, or whole where it is long."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def times(value: float | None) -> str:
    """Return a ratio: ``4.2×``."""
    return "" if value is None else f"{figure(value)}×"


def goal(result: Result, value: float | None) -> str:
    """Return a goal: a ratio where there is a peer, else a figure that must not be passed."""
    if value is None:
        return ""
    if result.peer_name:
        return f"{value:g}×"
    return f"{'≤' if result.better.value == 'lower' else '≥'} {figure(value)}"


def _spreads(result: Result) -> str:
    parts = [runs for runs in (result.runs_ours, result.runs_peer) if len(runs) > 1]
    if not parts:
        return "" if result.skipped else "1 run"
    said = " / ".join(f"{spread(runs):.0%}{'!' if spread(runs) > NOISY else ''}" for runs in parts)
    count = len(result.runs_ours)
    return said if count >= USUAL_RUNS else f"{said}, {count} runs"


def terminal(results: Sequence[Result]) -> Table:
    """Return the table for rich."""
    table = Table(title="Postroad and its peers", title_justify="left")
    for name, right, _ in COLUMNS:
        # Names are what one types after --only: they are never cut.
        table.add_column(
            name, justify="right" if right else "left", no_wrap=name in ("row", "ratio", "met")
        )
    for result in results:
        style = "dim" if result.skipped else _STYLES[result.met]
        cells = [cell(result) for _, _, cell in COLUMNS]
        met = [name for name, _, _ in COLUMNS].index("met")
        if style:
            cells[met] = f"[{style}]{cells[met]}[/]"
        table.add_row(*cells)
    return table


def plain(results: Sequence[Result]) -> str:
    """Return the table as text with columns parted by two spaces, for a pipe or a file."""
    rows = [[name for name, _, _ in COLUMNS]]
    rows += [[cell(result) for _, _, cell in COLUMNS] for result in results]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, (_, right, _) in zip(row, widths, COLUMNS, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def markdown(results: Sequence[Result]) -> str:
    """Return the table in Markdown."""
    lines = [
        "| " + " | ".join(name for name, _, _ in COLUMNS) + " |",
        "|" + "|".join("---:" if right else "---" for _, right, _ in COLUMNS) + "|",
    ]
    for result in results:
        cells = [cell(result).replace("|", "\\|") for _, _, cell in COLUMNS]
        cells[0] = f"`{cells[0]}`"
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
