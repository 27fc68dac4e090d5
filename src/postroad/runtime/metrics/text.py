"""Metrics as text that Prometheus reads (OpenMetrics 1.0)."""

from collections import defaultdict
from collections.abc import Iterable

from postroad.runtime.metrics.collect import Point
from postroad.runtime.metrics.families import FAMILIES, Family, Kind

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def write(points: Iterable[Point]) -> str:
    """Return the text; points of one name and the same labels are added up."""
    families: dict[str, dict[tuple[str, ...], Point]] = defaultdict(dict)
    for point in points:
        known = families[point.name]
        before = known.get(point.labels)
        known[point.labels] = point if before is None else before.plus(point)
    lines: list[str] = []
    for name, family in FAMILIES.items():
        lines += [f"# TYPE {name} {family.kind.value}", f"# HELP {name} {family.help}"]
        for labels in sorted(families[name]):
            lines += _samples(name, family, families[name][labels])
    return "\n".join([*lines, "# EOF", ""])


def _samples(name: str, family: Family, point: Point) -> list[str]:
    labels = [
        f'{key}="{_escaped(text)}"' for key, text in zip(family.labels, point.labels, strict=True)
    ]
    match family.kind:
        case Kind.COUNTER:
            return [f"{name}_total{_braces(labels)} {_number(point.value)}"]
        case Kind.INFO:
            return [f"{name}_info{_braces(labels)} 1"]
        case Kind.GAUGE:
            return [f"{name}{_braces(labels)} {_number(point.value)}"]
    lines = []
    total = 0
    for bound, count in zip((*family.bounds, float("inf")), point.counts, strict=True):
        total += count
        edge = "+Inf" if bound == float("inf") else _number(bound)
        le = 'le="' + edge + '"'
        lines.append(f"{name}_bucket{_braces([*labels, le])} {total}")
    lines.append(f"{name}_sum{_braces(labels)} {_number(point.value)}")
    lines.append(f"{name}_count{_braces(labels)} {total}")
    return lines


def _braces(labels: list[str]) -> str:
    return "{" + ",".join(labels) + "}" if labels else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
