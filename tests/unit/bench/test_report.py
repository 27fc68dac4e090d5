import json
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec

from bench.contest import Row, result, skipped
from bench.figures import Better, Figures, Goal
from bench.machine import Machine
from bench.report import Report, lines, write

MACHINE = Machine(
    at="2026-01-02 03:04 UTC",
    cpu="A processor",
    cores=2,
    memory_gib=24.0,
    kernel="Linux 6",
    file_system="ext4",
    device="/dev/vda",
    fsync_ms=0.5,
    versions={"Postfix": "3.7.11"},
)
REPORT = Report(
    MACHINE,
    runs=2,
    seconds=600,
    results=(
        result(Row("a", "alpha", "1/s", "Postfix", goal=Goal(4, 7)), Figures((9, 9), (2, 2))),
        result(
            Row("latency-idle-p99", "latency", "ms", better=Better.LOWER, goal=Goal(20, 5)),
            Figures((3.0, 4.0)),
        ),
        skipped(
            Row("b", "beta", "1/s", "Postfix"), "postfix is not installed: apt-get install postfix"
        ),
    ),
)


def test_everything_is_written(tmp_path: Path) -> None:
    names = [path.name for path in write(REPORT, tmp_path / "docs")]
    assert names == ["README.md", "results.json", "runs.json", "ratios.svg", "latency.svg"]
    page = (tmp_path / "docs" / "README.md").read_text()
    for text in ("4.50×", "A processor", "ext4", "Postfix 3.7.11", "![ratios](ratios.svg)"):
        assert text in page
    assert "- `b`: postfix is not installed: apt-get install postfix" in page
    runs = (tmp_path / "docs" / "runs.json").read_bytes()
    assert msgspec.json.decode(runs, type=Report) == REPORT
    for name in ("ratios.svg", "latency.svg"):
        assert ET.parse(tmp_path / "docs" / name).getroot().tag.endswith("svg")


def test_results_are_a_list_with_these_keys(tmp_path: Path) -> None:
    write(REPORT, tmp_path)
    keys = ["name", "ours", "peer", "peer_name", "unit", "ratio", "must", "aim", "met"]
    assert [
        [each[key] for key in keys if list(each) == keys]
        for each in json.loads((tmp_path / "results.json").read_text())
    ] == [
        ["a", 9.0, 2.0, "Postfix", "1/s", 4.5, 4.0, 7.0, True],
        ["latency-idle-p99", 3.5, None, None, "ms", None, 20.0, 5.0, True],
        ["b", None, None, "Postfix", "1/s", None, None, None, None],
    ]


def test_what_is_missed_or_not_measured_is_not_met() -> None:
    row = Row("a", "alpha", "1/s", "Postfix", goal=Goal(4, 7))
    missed, unknown = lines([result(row, Figures((6,), (2,))), skipped(row, "no Postfix")])
    assert (missed.met, unknown.met) == (False, False)


def test_the_same_figures_make_the_same_files(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write(REPORT, tmp_path / "one")]
    second = [path.read_bytes() for path in write(REPORT, tmp_path / "two")]
    assert first == second
