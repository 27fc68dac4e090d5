import io
from contextlib import ExitStack

import pytest
from rich.console import Console

from bench.__main__ import EXIT_USAGE, all_contests, chosen, main, measure
from bench.contest import Contest, Row, Scale, Side
from bench.figures import Better
from peers.tools import MissingTool


def test_names_are_unique_and_begin_with_their_contest() -> None:
    contests = all_contests()
    rows = [row.name for contest in contests for row in contest.rows]
    assert len(rows) == len(set(rows))
    for contest in contests:
        assert all(row.name.startswith(contest.name) for row in contest.rows)


GOALS = {
    "intake-20": (4, 7),
    "intake-100": (4, 7),
    "local": (4, 6),
    "relay": (4, 7),
    "intake-large": (2, 4),
    "local-large": (2, 4),
    "relay-large": (2, 4),
    "aiosmtpd": (1.5, 3),
    "bare-intake": (0.5, 0.75),
    "bare-relay": (0.5, 0.75),
    "pop3-retr": (1, 1.5),
    "pop3-retr-8": (1, 1.5),
    "pop3-retr-pipelined": (0.7, 1.2),
    "pop3-list-100000-cold": (5, 50),
    "latency-idle-p99": (20, 5),  # ms
    "latency-half-p99": (150, 50),
    "memory-message": (8, None),  # MB
    "memory-message-pop3": (8, None),
    "memory-idle-10000": (25, None),  # kB
    "memory-pop3": (64, None),  # MB
    "webhook-dead": (0.95, None),
    "search-recipient-p99": (50, None),  # ms
    "queue-million-first": (2, None),  # s
    "queue-million-memory": (300, None),  # MB
}


def test_every_goal_is_in_the_table() -> None:
    rows = {row.name: row for contest in all_contests() for row in contest.rows}
    assert {name: (rows[name].goal.must, rows[name].goal.aim) for name in GOALS} == GOALS


def test_a_figure_without_a_peer_is_one_that_must_not_be_passed() -> None:
    """Readers of results.json rely on it."""
    for contest in all_contests():
        for row in contest.rows:
            if row.goal.must is not None and not row.peer_name:
                assert row.better is Better.LOWER, row.name


def test_only_takes_a_name_or_what_names_begin_with() -> None:
    contests = all_contests()
    assert [each.name for each in chosen(contests, "relay")] == ["relay"]
    assert [each.name for each in chosen(contests, "latency-idle-p99")] == ["latency-idle"]
    assert len(chosen(contests, "pop3")) == 6
    assert chosen(contests, "no-such-row") == []
    assert chosen(contests, None) == contests


def test_an_unknown_row_is_a_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "no-such-row"]) == EXIT_USAGE
    assert "--list" in capsys.readouterr().err


def test_the_list_names_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert "pop3-list-100000-cold" in capsys.readouterr().out


class Broken(Contest):
    """Cannot be measured."""

    def __init__(self, name: str, error: Exception) -> None:
        self.name = name
        self.rows = (Row(name, name, "s", "peer"),)
        self._error = error

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, Side | None]:
        raise self._error


def test_a_missing_peer_names_its_package_and_others_go_on() -> None:
    console = Console(file=io.StringIO(), record=True, width=200)
    contests = [Broken("one", MissingTool("smtp-sink")), Broken("two", TimeoutError("slow"))]
    (one, two), _ = measure(contests, Scale(), console)
    assert one.skipped == "smtp-sink is not installed: apt-get install postfix"
    assert "one: not measured: smtp-sink is not installed" in console.export_text()
    assert two.skipped == "failed: slow"
