"""Reports summed up by day and by source."""

from postroad.service.reports import ReceivedReport, ReportKind
from postroad.trust.dmarc_report import AggregateReport, PolicyPublished, Row
from postroad.web.console.reports import Day, Source, summed_up

DAY = 86_400
BEGIN = 20_000 * DAY


def aggregate(begin: int, *rows: Row) -> ReceivedReport:
    policy = PolicyPublished("here.test", "reject")
    report = AggregateReport("far.test", "r@far.test", "1", begin, begin + DAY, policy, rows)
    return ReceivedReport("abc", ReportKind.AGGREGATE, "bob/1", aggregate=report)


def test_by_day_and_by_source_the_bad_first() -> None:
    good = Row("192.0.2.1", 5, "none", "pass", "fail", "here.test")
    bad = Row("198.51.100.1", 2, "reject", "fail", "fail", "here.test")
    broken = ReceivedReport("", ReportKind.BROKEN, "bob/9", problem="no gzip")
    found = summed_up(
        "bob@here.test",
        [aggregate(BEGIN, good, bad), aggregate(BEGIN, good), aggregate(BEGIN + DAY, bad), broken],
    )
    assert found.dmarc == [Day("2024-10-04", 10, 2), Day("2024-10-05", 0, 2)]
    assert found.sources == [
        Source("198.51.100.1", "here.test", 4, 0, 0, 0, {"reject": 4}),
        Source("192.0.2.1", "here.test", 10, 10, 0, 10, {"none": 10}),
    ]
    assert [(each.kind, each.good, each.bad) for each in found.reports] == [
        ("broken", 0, 0),
        ("aggregate", 0, 2),
        ("aggregate", 5, 0),
        ("aggregate", 5, 2),
    ]
    assert found.reports[0].problem == "no gzip"
    assert found.tls == []
