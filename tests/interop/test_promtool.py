"""Prometheus itself reads our alert rules, the dashboard's queries and what we tell it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from postroad.runtime.metrics.collect import Point
from postroad.runtime.metrics.families import FAMILIES
from postroad.runtime.metrics.text import write
from tests.unit.runtime.metrics.test_families import MONITORING, expressions

Require = Callable[[str], Path]


def run(program: Path, *arguments: str, text: str | None = None) -> str:
    done = subprocess.run(
        [program, *arguments], input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_alerts_are_rules(require: Require) -> None:
    said = run(require("promtool"), "check", "rules", str(MONITORING / "alerts.yml"))
    assert "12 rules found" in said


def test_the_queries_of_the_dashboard_are_queries(require: Require, tmp_path: Path) -> None:
    board = json.loads((MONITORING / "grafana-dashboard.json").read_text(encoding="utf-8"))
    rules = [
        {"record": f"r:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(expressions(board))
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": rules}]}))
    said = run(require("promtool"), "check", "rules", str(path))
    assert f"{len(rules)} rules found" in said


def test_what_we_tell_is_read(require: Require) -> None:
    points = [
        Point(
            name,
            tuple("x" for _ in family.labels),
            1.0,
            (1,) * (len(family.bounds) + 1) if family.bounds else (),
        )
        for name, family in FAMILIES.items()
        if name != "postroad_build"  # the older format, which promtool reads, knows no info
    ]
    text = write(points)
    # OpenMetrics names the family, the older format the sample.
    lines = []
    for line in text.splitlines():
        words = line.split(" ", 3)
        if words[0] == "#" and len(words) > 2 and words[2] == "postroad_build":
            continue
        if words[0] == "#" and len(words) > 2 and FAMILIES[words[2]].kind.value == "counter":
            words[2] += "_total"
        lines.append(" ".join(words))
    run(require("promtool"), "check", "metrics", text="\n".join([*lines[:-1], ""]))
