import io

from rich.console import Console

from bench.contest import Row, result, skipped
from bench.figures import Better, Figures, Goal
from bench.table import figure, markdown, plain, terminal

RESULTS = [
    result(
        Row("intake-20", "intake", "messages/s", "Postfix", goal=Goal(4, 7)),
        Figures((6900.0, 7000.0, 7100.0), (1000.0, 1000.0, 1100.0)),
    ),
    result(
        Row("latency-idle-p99", "latency | p99", "ms", better=Better.LOWER, goal=Goal(20, 5)),
        Figures((21.0,)),
    ),
    skipped(Row("relay", "relay", "messages/s", "Postfix", goal=Goal(4, 7)), "no Postfix"),
]


def test_figures_keep_three_digits_that_count() -> None:
    assert [figure(value) for value in (None, 0.123, 9.999, 12.34, 6999.6)] == [
        "",
        "0.12",
        "10.00",
        "12.3",
        "7,000",
    ]


def test_plain_columns_line_up() -> None:
    head, intake, latency, relay = plain(RESULTS).splitlines()
    assert intake.index("messages/s") == head.index("unit") == relay.index("messages/s")
    assert "7,000" in intake
    assert "7.00×" in intake
    assert "aim" in intake
    assert "3% / 10%" in intake
    assert "≤ 20.0" in latency
    assert "missed" in latency
    assert "not measured" in relay


def test_markdown_escapes_what_would_end_a_cell() -> None:
    head, rule, *rows = markdown(RESULTS).splitlines()
    assert rule.count("|") == head.count("|")
    assert all(row.replace("\\|", "").count("|") == head.count("|") for row in rows)
    assert rows[0].startswith("| `intake-20` |")


def test_the_terminal_never_cuts_a_name() -> None:
    console = Console(width=80, record=True, file=io.StringIO(), force_terminal=True)
    console.print(terminal(RESULTS))
    assert "latency-idle-p99" in console.export_text()
