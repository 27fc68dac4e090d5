"""``python -m bench``: run the contests, print the table, write the docs."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench import (
    growth_rows,
    http_rows,
    jmap_rows,
    latency_rows,
    memory_rows,
    pop3_rows,
    postgres_rows,
    search_rows,
    smtp_rows,
    trust_rows,
    webhook_rows,
    worker_rows,
)
from bench.contest import Contest, Result, Scale, run, skipped
from bench.machine import Machine, describe, durable_directory
from bench.report import Report, statement, write
from bench.table import plain, terminal
from peers.tools import PeerUnavailable

DOCS = Path(__file__).parent.parent / "docs" / "performance"
EXIT_MISSED = 1
EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_FAILED = 70
EXIT_TERMINATED = 128 + signal.SIGTERM
FAILED = "failed:"


def all_contests() -> list[Contest]:
    """Return everything that can be measured, in the order of the table."""
    return [
        *smtp_rows.contests(),
        *http_rows.contests(),
        *trust_rows.contests(),
        *pop3_rows.contests(),
        *latency_rows.contests(),
        *worker_rows.contests(),
        *postgres_rows.contests(),
        *webhook_rows.contests(),
        *search_rows.contests(),
        *jmap_rows.contests(),
        *memory_rows.contests(),
        *growth_rows.contests(),
    ]


def chosen(contests: Sequence[Contest], only: str | None) -> list[Contest]:
    """Return the contest of that name or, where none has it, those whose names begin so."""
    if only is None:
        return list(contests)
    exact = [each for each in contests if only in (each.name, *(row.name for row in each.rows))]
    return exact or [each for each in contests if each.name.startswith(only)]


def measure(
    contests: Sequence[Contest], scale: Scale, console: Console
) -> tuple[list[Result], float]:
    """Run the contests with a progress bar; return the results and how many seconds it took."""
    begin = time.monotonic()
    results: list[Result] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=sum(each.seconds for each in contests))
        for contest in contests:

            def tell(what: str, name: str = contest.name) -> None:
                progress.update(task, description=f"{name}: {what}")

            try:
                found = run(contest, scale, tell)
            except PeerUnavailable as error:
                console.print(f"{contest.name}: not measured: {error}", markup=False)
                found = [skipped(row, str(error)) for row in contest.rows]
            except Exception as error:
                # One row that fails must not cost the others; the exit status tells of it.
                console.print_exception()
                found = [skipped(row, f"{FAILED} {error}") for row in contest.rows]
            results += found
            if not console.is_terminal:
                console.print(f"{contest.name}: {time.monotonic() - begin:.0f} s", markup=False)
            progress.advance(task, contest.seconds)
    return results, time.monotonic() - begin


def show(results: Sequence[Result], machine: Machine) -> None:
    """Print the table: drawn in a terminal, plain into a pipe."""
    output = Console()
    if output.is_terminal:
        output.print(terminal(results))
        output.print(statement(machine), highlight=False, markup=False)
    else:
        sys.stdout.write(plain(results) + "\n" + statement(machine))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Postroad beside its peers.")
    parser.add_argument("--only", metavar="NAME", help="one row, or all whose names begin so")
    parser.add_argument("--runs", type=int, default=5, help="runs of each side (default 5)")
    parser.add_argument(
        "--quick", action="store_true", help="a fifth of the messages, two runs: only to try it out"
    )
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 where a must is missed or not measured"
    )
    parser.add_argument(
        "--directory", type=Path, default=Path("/var/tmp"), help="where the data goes; a real disk"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="where the page is written (default: docs/performance, if whole)",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return the exit status."""
    given = _parse(arguments)
    console = Console(stderr=True)
    contests = chosen(all_contests(), given.only)
    if given.list:
        for contest in contests:
            for row in contest.rows:
                sys.stdout.write(f"{row.name:32} {row.title}\n")
        return 0
    if not contests or given.runs < 1:
        console.print("bench: no such row, or no runs; see: python -m bench --list", markup=False)
        return EXIT_USAGE
    try:
        directory = durable_directory(given.directory)
    except PeerUnavailable as error:
        console.print(f"bench: {error}", markup=False)
        return EXIT_UNAVAILABLE
    # Ended by others, too, servers are stopped and their data removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))
    # Every server of every side makes its directory below this (tempfile reads it once).
    os.environ["TMPDIR"] = str(directory)
    machine = describe(directory)
    scale = Scale(min(given.runs, 2) if given.quick else given.runs, given.quick)
    results, seconds = measure(contests, scale, console)
    show(results, machine)
    output = given.output
    if output is None and given.only is None and not given.quick:
        output = DOCS
    if output is not None:
        for path in write(Report(machine, scale.runs, round(seconds), tuple(results)), output):
            console.print(f"wrote {path}", markup=False)
    if any(result.skipped.startswith(FAILED) for result in results):
        return EXIT_FAILED
    if all(result.skipped for result in results):
        return EXIT_UNAVAILABLE
    return EXIT_MISSED if given.check and any(_falls_short(result) for result in results) else 0


def _falls_short(result: Result) -> bool:
    return result.must is not None and result.met.value in ("missed", "no goal")


if __name__ == "__main__":
    sys.exit(main())
