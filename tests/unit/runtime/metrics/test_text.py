"""Metrics as text."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from postroad.runtime.metrics.collect import Point
from postroad.runtime.metrics.families import FAMILIES, Kind, names
from postroad.runtime.metrics.text import write


def test_points_of_several_processes_are_added_up() -> None:
    size = len(FAMILIES["postroad_store_commit_seconds"].bounds) + 1
    one = Point("postroad_store_commit_seconds", (), 0.25, (1,) + (0,) * (size - 1))
    text = write(
        [
            Point("postroad_messages_accepted", ("news",), 3),
            Point("postroad_messages_accepted", ("news",), 4),
            Point("postroad_messages_accepted", ("default",), 1),
            one,
            one,
        ]
    )
    assert 'postroad_messages_accepted_total{stream="news"} 7\n' in text
    assert 'postroad_messages_accepted_total{stream="default"} 1\n' in text
    assert 'postroad_store_commit_seconds_bucket{le="0.001"} 2\n' in text
    assert 'postroad_store_commit_seconds_bucket{le="+Inf"} 2\n' in text
    assert "postroad_store_commit_seconds_sum 0.5\n" in text
    assert text.endswith("# EOF\n")


def test_another_reader_understands_all_of_it() -> None:
    points = []
    for name, family in FAMILIES.items():
        labels = tuple(f'{label} "x"\\\n' for label in family.labels)
        counts = (1,) * (len(family.bounds) + 1) if family.bounds else ()
        points.append(Point(name, labels, 1.5, counts))
    found = {each.name: each for each in text_string_to_metric_families(write(points))}
    assert found.keys() == FAMILIES.keys()
    for name, family in FAMILIES.items():
        assert found[name].type == family.kind.value
        assert found[name].documentation == family.help
        for sample in found[name].samples:
            for label in family.labels:
                assert sample.labels[label] == f'{label} "x"\\\n'
    samples = {s.name for each in found.values() for s in each.samples}
    assert samples == names()


def test_names_and_units_follow_the_rules() -> None:
    for name, family in FAMILIES.items():
        assert name.startswith("postroad_")
        assert not name.endswith(("_total", "_info", "_bucket", "_count", "_sum"))
        assert family.help.endswith(".")
        assert (family.kind is Kind.HISTOGRAM) is bool(family.bounds)
