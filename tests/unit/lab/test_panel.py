"""What the lab shows, in a terminal and in a pipe."""

import io
from typing import Literal

from rich.console import Console

from postroad.lab.panel import LiveView, road_lines, show_road
from postroad.lab.road import Milestone, Road

MILESTONES = (
    Milestone(0.001, "client", "submit", "from <a@x.test> [red]to[/red] b@y.test"),
    Milestone(0.002, "x.test", "hello", "250 x.test PIPELINING"),
    Milestone(0.003, "y.test", "delivered", "b@y.test: 250 2.0.0 " + "long " * 60),
)


def road(problem: str = "") -> Road:
    return Road(
        "38GBPBP7WFMCH", "a@x.test", "b@y.test", 0.5, 10, 20, ("Received",), problem, MILESTONES
    )


def shown(*, terminal: bool, problem: str = "") -> str:
    out = io.StringIO()
    colours: Literal["standard"] | None = "standard" if terminal else None
    console = Console(file=out, force_terminal=terminal, width=80, color_system=colours)
    show_road(console, road(problem))
    return out.getvalue()


def test_a_pipe_gets_plain_lines_of_any_length() -> None:
    lines = shown(terminal=False).splitlines()

    assert lines[0] == "    0.001 s  client  submit     from <a@x.test> [red]to[/red] b@y.test"
    assert lines[1].endswith("long " * 60)
    assert lines[2].startswith("delivered and read in 0.500 s: 10 octets as they were sent")
    assert "\x1b" not in "".join(lines)


def test_a_terminal_gets_colours_and_the_text_as_it_is() -> None:
    text = shown(terminal=True)

    assert "\x1b[32mdelivered" in text
    assert "[red]to[/red]" in text


def test_a_failure_is_said() -> None:
    assert "failed: 2 messages" in shown(terminal=False, problem="2 messages")
    assert road("x").to_plain()["ok"] is False


def test_greetings_of_servers_are_left_out() -> None:
    assert not any("PIPELINING" in line for line in road_lines(MILESTONES))


def test_the_live_view_keeps_the_newest_each_in_one_line() -> None:
    view = LiveView(rows=2)
    out = io.StringIO()
    console = Console(file=out, width=80)
    console.print(view)
    assert "journeys appear here" in out.getvalue()
    for milestone in MILESTONES:
        view.add(milestone)

    out.truncate(0)
    console.print(view)

    assert "submit" not in out.getvalue()
    assert sum("long" in line for line in out.getvalue().splitlines()) == 1
