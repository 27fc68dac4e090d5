"""The dashboard, the alerts and the docs name metrics that there are."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from postroad.runtime.metrics.families import FAMILIES, Kind, names

DOCS = Path(__file__).resolve().parents[4] / "docs"
MONITORING = DOCS / "reference/monitoring"
_NAME = re.compile(r"\bpostroad_\w+")
_SELECTOR = re.compile(r"\b(postroad_\w+)\{([^}]*)\}")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_OF_PROMETHEUS = {"instance", "job", "le"}


def family_of(name: str) -> str:
    for ending in ("_total", "_info", "_bucket", "_sum", "_count"):
        if name.endswith(ending) and name.removesuffix(ending) in FAMILIES:
            return name.removesuffix(ending)
    return name


def check(query: str) -> None:
    used = set(_NAME.findall(query))
    assert used <= names(), used - names()
    for name, labels in _SELECTOR.findall(query):
        known = set(FAMILIES[family_of(name)].labels) | _OF_PROMETHEUS
        assert set(_LABEL.findall(labels)) <= known, query
    for labels in re.findall(r"by \(([^)]*)\)", query):
        known = {label for name in used for label in FAMILIES[family_of(name)].labels}
        assert {each.strip() for each in labels.split(",")} <= known | _OF_PROMETHEUS, query


def expressions(value: Any) -> list[str]:
    if isinstance(value, dict):
        found = [value["expr"]] if isinstance(value.get("expr"), str) else []
        return found + [each for inner in value.values() for each in expressions(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in expressions(inner)]
    return []


def test_the_dashboard_shows_every_metric_and_none_that_is_not_there() -> None:
    board = json.loads((MONITORING / "grafana-dashboard.json").read_text(encoding="utf-8"))
    queries = expressions(board)
    for query in queries:
        check(query)
    variables = [each["query"] for each in board["templating"]["list"]]
    shown = {family_of(name) for text in [*queries, *variables] for name in _NAME.findall(text)}
    alerts = (MONITORING / "alerts.yml").read_text(encoding="utf-8")
    shown |= {family_of(name) for name in _NAME.findall(alerts)}
    assert shown == FAMILIES.keys()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


def test_the_alerts_use_metrics_that_are_there() -> None:
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))
    (group,) = rules["groups"]
    assert len(group["rules"]) >= 10
    for rule in group["rules"]:
        if "up{" not in rule["expr"]:
            check(rule["expr"])
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"])


def test_the_reference_lists_every_metric() -> None:
    text = (MONITORING / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", text, flags=re.MULTILINE)
    wanted = [
        (
            f"{name}_total"
            if family.kind is Kind.COUNTER
            else f"{name}_info"
            if family.kind is Kind.INFO
            else name,
            family.kind.value,
            ", ".join(f"`{label}`" for label in family.labels),
            family.help,
        )
        for name, family in FAMILIES.items()
    ]
    assert rows == wanted, "write it anew: python -m postroad.runtime.metrics.families"
