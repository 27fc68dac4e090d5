"""``postroad top``: the screen, and the lines."""

import asyncio
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from postroad.cli.top import _screen, lines
from postroad.model import Address
from postroad.runtime.config import load_config
from postroad.runtime.metrics.top import Failure, Overview, Row, Slow
from postroad.runtime.office import Office
from tests.unit.runtime.served import environment, write_config

FOUND = Overview(
    1_795_600_000.0,
    2,
    {"accepted": 12.5, "delivered": 11.0},
    {"due": 3, "held": 1},
    7,
    (
        Row("google.com", "east", 40, 5, 5, "slowed down by 421"),
        Row("there.test", "", 1, 1, 20, ""),
    ),
    (Slow("1M2Q9ZC6V3F0A", 2.5, "mx.there.test"),),
    (Failure(1_795_600_000.0, "1M2Q9ZC6V3F0B", "bounced", "mx.x.test", "550 [red]no\x1b[2J"),),
    ("192.0.2.1 at google.com",),
)


def shown(found: Overview) -> str:
    console = Console(width=120, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with console.file:
        console.print(_screen(found))
        return console.export_text()


def test_the_screen_has_what_the_lines_have() -> None:
    screen, plain = shown(FOUND), "\n".join(lines(FOUND))
    for words in (
        "2 processes  accepted 12.5/s  delivered 11.0/s",
        "queue  due 3  held 1  in hand 7",
        "google.com from east",
        "slowed down by 421",
        "2.500",
        "1M2Q9ZC6V3F0B",
        "192.0.2.1 at google.com",
    ):
        assert words in screen, words
        assert words in plain, words
    # What a server of others said is neither markup nor a command to the terminal.
    assert "[red]no" in screen
    assert "\x1b" not in screen


def test_nothing_to_show_is_no_table() -> None:
    empty = Overview(1_795_600_000.0, 0, {}, {"due": 0}, 0)
    assert "no server works on this store" in shown(empty)
    assert "DESTINATION" not in shown(empty)


async def test_it_watches_until_it_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    config = write_config(tmp_path)
    async with Office.open(load_config(config, environment())) as office:
        await office.domains.add("here.test")
        await office.accounts.add(Address("ann", "here.test"), "a long enough password")
    said, code = await asyncio.to_thread(watched, config)
    assert said.count(b"no server works on this store") >= 2, "it looks again and again"
    assert code == 0


def watched(config: Path) -> tuple[bytes, int]:
    """Run it on a terminal, until it was drawn twice; return what it drew and its exit code."""
    ours, theirs = pty.openpty()
    words = ["-m", "postroad.cli.main", "top", "--every", "0.2", "--config", str(config)]
    process = subprocess.Popen(
        [sys.executable, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(TERM="xterm", COLUMNS="120", LINES="40"),
        start_new_session=True,
    )
    os.close(theirs)
    said, deadline = b"", time.monotonic() + 30
    try:
        while said.count(b"no server works") < 2 and time.monotonic() < deadline:
            if select.select([ours], [], [], 0.5)[0]:
                said += os.read(ours, 65_536)
        process.send_signal(signal.SIGINT)
        while process.poll() is None and time.monotonic() < deadline:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    os.read(ours, 65_536)
                except OSError:
                    break
        return said, process.wait(10)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
