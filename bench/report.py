"""What the docs say about performance: a page, the figures as JSON, and plots."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from bench import plots
from bench.contest import Result
from bench.figures import Met
from bench.machine import Machine
from bench.table import markdown


class Line(Struct, frozen=True):
    """A row in results.json. With a peer, `must` and `aim` are ratios to reach; without one they are
    figures in `unit` that must not be passed. `met`: the must is reached; None where there is none.
    """

    name: str
    ours: float | None
    peer: float | None
    peer_name: str | None
    unit: str
    ratio: float | None
    must: float | None
    aim: float | None
    met: bool | None


class Report(Struct, frozen=True):
    """What runs.json holds: every single run, and where they were made."""

    machine: Machine
    runs: int
    seconds: float
    results: tuple[Result, ...]


def write(report: Report, directory: Path) -> list[Path]:
    """Write README.md, results.json, runs.json and the plots; return their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    drawn = plots.draw(report.results, directory)
    figures, runs = directory / "results.json", directory / "runs.json"
    _write_json(figures, lines(report.results))
    _write_json(runs, report)
    readme = directory / "README.md"
    readme.write_text(page(report, [path.name for path in drawn]), encoding="utf-8")
    return [readme, figures, runs, *drawn]


def lines(results: Sequence[Result]) -> list[Line]:
    """Return what results.json holds, row by row."""
    return [
        Line(
            name=result.name,
            ours=result.ours,
            peer=result.peer,
            peer_name=result.peer_name or None,
            unit=result.unit,
            ratio=result.ratio,
            must=result.must,
            aim=result.aim,
            # What was not measured is not met.
            met=None if result.must is None else result.met in (Met.MUST, Met.AIM),
        )
        for result in results
    ]


def _write_json(path: Path, value: object) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def page(report: Report, drawn: Sequence[str]) -> str:
    """Return the page in Markdown."""
    minutes = report.seconds / 60
    pictures = "".join(f"![{name.removesuffix('.svg')}]({name})\n\n" for name in drawn)
    skipped = [result for result in report.results if result.skipped]
    absent = "".join(f"- `{result.name}`: {result.skipped}\n" for result in skipped)
    missing = f"\nNot measured here:\n{absent}" if absent else ""
    return _PAGE.format(
        table=markdown(report.results),
        missing=missing,
        pictures=pictures,
        machine=statement(report.machine),
        runs=report.runs,
        minutes=minutes,
    )


def statement(machine: Machine) -> str:
    """Return the machine statement, in Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"- {machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB, {machine.kernel}\n"
        f"- data of all servers on one {machine.file_system} file system ({machine.device}), not in "
        f"memory; writing and fsyncing 4 KiB takes {machine.fsync_ms:g} ms there (median)\n"
        f"- {versions}\n"
        f"- measured {machine.at}\n"
    )


_PAGE = """# Performance

Written by `make bench`; the figures are in [results.json](results.json), every single run is in
[runs.json](runs.json).

{table}{missing}
A ratio says how many times better we are than the peer, by the medians; above 1 is better for us, also
where less is better. `must` is what we hold ourselves to, `aim` what would be splendid. `spread` is the
distance of the extremes from each other, as a share of the median, ours / peer; where it is beyond a
quarter (!), a figure says less than it seems to.

{pictures}## Machine
{machine}
## How it is measured
- Each row starts both servers afresh, as real processes with data directories of their own on the
  same disk, warms each side up until two runs of it agree within a tenth (four runs at most), and
  then runs {runs} times in turns: ours, peer, ours, peer. Rows that say so had fewer runs.
  The client is the same for both. Client and servers share the cores.
- Both are durable: Postfix fsyncs before its 250, we commit (SQLite, WAL, `synchronous=FULL`)
  before ours. Neither signs or encrypts, and there is no content filter.
- SMTP rows are loaded by smtp-source(1) over kept connections, without pipelining. *Intake* counts
  until the last 250. Postfix discards behind its queue (`discard:`), the cheapest it can do; we
  deliver to a local mailbox meanwhile. *Local* and *relay* count until the last message is in the
  mailbox, by count, or taken by smtp-sink(1). Postfix delivers to a Maildir by virtual(8), and
  relays to one host by `relayhost`. We relay to the same by a route, through an alias that leads
  outside, since the MX port relays for nobody.
- Postfix is tuned for the test (process limit 200, no in-flow delay, no rate limits); its settings
  are in `peers/postfix_config.py`, Dovecot's in `peers/dovecot.py`, ours in `bench/ours.py`.
- aiosmtpd stores nothing: what it says 250 to is gone. We are durable in that row as in all.
- The bare loop (`bench/bare_loop.py`) makes the same commits, by our statements in our schema, in the
  same process model, without being a mail server; the ratio is the share of it that we reach.
- Signing is done by a process of its own. Rows `sign-*` count messages while that process, the server,
  its writer and the client share the cores; rows `sign-*-loop` the processor time of the server's event
  loop alone, the one core that limits intake where there are others for the rest.
- Postfix writes some lines of log for a message, as it always does (`postlogd`, to a file); we log
  warnings only, and keep what happened in the journey.
- POP3 rows read the same bytes on both sides with a client of our own (`bench/pop3_client.py`).
  Dovecot has them in a Maildir whose file names hold the sizes, its best case; ours are marked as
  free of dots at line starts, as most mail that comes by SMTP is. *Cold* is after a restart of
  ours, and without its index for Dovecot. Passwords cost nothing on either side: Dovecot compares
  plain text, and our server has seen the login before (the first login of an account costs an
  argon2 hash).
- Latency is taken by logging in by POP3 every 2 ms, so one login is part of it. Half load is
  half of the rate that reaches another user's mailbox at most from the same client while the same
  is looked for, sent evenly.
- Memory is that of the server and the processes that it starts (`VmRSS`, `VmHWM`), without TLS.
  MB and kB are 10⁶ and 10³.
- Growth is measured in three runs for each size, on a server filled through its store.

## Repeat it
    sudo apt-get install postfix dovecot-pop3d dovecot-imapd dovecot-lmtpd
    sudo make bench                       # about {minutes:.0f} minutes; Postfix needs root
    sudo make bench ONLY=relay            # one row, or all whose names begin so, in less than a minute
    python -m bench --list                # the names

A partial run prints its table and leaves this page alone.
"""
