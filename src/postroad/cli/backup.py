"""``postroad backup``, ``restore`` and ``verify-data``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import clean, print_json, print_line, when

if TYPE_CHECKING:
    from postroad.runtime.backup import Progress, Report
    from postroad.runtime.config import Config

Target = Annotated[
    Path,
    typer.Argument(
        metavar="DIR|FILE.tar",
        help="A directory, to which later backups only add; or a new tar file.",
    ),
]
Source = Annotated[Path, typer.Argument(metavar="DIR|FILE.tar", help="A backup.")]
MaybeSource = Annotated[
    Path | None,
    typer.Argument(metavar="[DIR|FILE.tar]", help="A backup; without it the data directory."),
]


def backup(target: Target, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Copy the database, all mail and all keys, consistent, while the server runs."""
    from postroad.runtime import backup as runtime
    from postroad.runtime.lifecycle import run

    settings = load_settings(config)
    with show_progress(as_json) as told:
        made = run(runtime.backup(settings, target, told))
    manifest = made.manifest
    if as_json:
        print_json(
            {
                "backup": str(target),
                "made_at": manifest.made_at,
                "copied_octets": made.copied_octets,
                "copied_contents": made.copied_contents,
                "kept_contents": made.kept_contents,
                "counts": manifest.counts,
            }
        )
        return
    print_line(f"{target}: as of {when(manifest.made_at)} UTC")
    print_line(_counted(manifest.counts))
    kept = f", {made.kept_contents} were there" if made.kept_contents else ""
    print_line(f"copied {_octets(made.copied_octets)}; {made.copied_contents} large contents{kept}")


def restore(source: Source, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Put a backup into the data directory, which must have no store; nothing is overwritten."""
    from postroad.runtime import backup as runtime

    settings = load_settings(config)
    with show_progress(as_json) as told:
        try:
            manifest = runtime.restore(settings, source, told)
        except runtime.AlreadyStored as error:
            raise CommandFailed(str(error), Exit.CANTCREAT) from error
        except runtime.ServerRuns as error:
            raise CommandFailed(str(error), Exit.TEMPFAIL) from error
    if as_json:
        data_dir = str(settings.server.data_dir)
        print_json({"data_dir": data_dir, "made_at": manifest.made_at, "counts": manifest.counts})
        return
    print_line(f"{settings.server.data_dir}: as of {when(manifest.made_at)} UTC")
    print_line(_counted(manifest.counts))
    print_line("every hash was right; see that no other server has this mail, then: postroad serve")


def verify_data(
    backup: MaybeSource = None, as_json: AsJson = False, config: ConfigFile = None
) -> int:
    """Check every message by size and hash and every reference; say what is wrong and what to do."""
    from postroad.runtime import backup as runtime
    from postroad.runtime.lifecycle import run

    with show_progress(as_json) as told:
        if backup is None:
            report = run(runtime.verify_data(load_settings(config), told))
        else:
            report = run(runtime.verify_copy(backup, told))
    if as_json:
        print_json(_to_plain(report))
    else:
        for problem in report.problems:
            print_line(clean(problem.what), style="yellow" if problem.harmless else "red")
            print_line(f"  {clean(problem.mend)}")
        print_line("checked: " + _counted(report.checked))
        print_line(
            "all is sound" if report.sound else "NOT SOUND",
            style="green" if report.sound else "red",
        )
    return Exit.OK if report.sound else Exit.DATAERR


def load_settings(path: Path | None) -> "Config":
    """Return the configuration, as the owner of the data directory."""
    from postroad.runtime.config import load_config
    from postroad.runtime.privileges import become_owner

    config = load_config(path)
    become_owner(config.server.data_dir)
    return config


def _to_plain(report: "Report") -> dict[str, object]:
    problems = [
        {"what": each.what, "mend": each.mend, "harmless": each.harmless}
        for each in report.problems
    ]
    return {"sound": report.sound, "checked": report.checked, "problems": problems}


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())


def _octets(count: int) -> str:
    size = float(count)
    for unit in ("octets", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "octets" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("the last unit takes all")


@contextmanager
def show_progress(silent: bool) -> "Iterator[Progress]":
    """Show a bar on standard error where that is a terminal."""
    if silent or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TimeRemainingColumn(),
    )
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def told(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=total)
            progress.update(bars[what], completed=done, total=total)

        yield told
