"""The TXT record that announces an MTA-STS policy."""

import pytest

from postroad.trust.mta_sts import StsInvalid, parse_record, write_record


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1;id=1"], "1"),
        (["v=STSv1; new=thing; id=a1", "v=spf1 -all"], "a1"),
        ([], None),
        (["v=STSv10; id=1"], None),
        (["hello"], None),
    ],
)
def test_ids(records: list[str], expected: str | None) -> None:
    assert parse_record(records) == expected


@pytest.mark.parametrize(
    "records",
    [
        ["v=STSv1; id=1", "v=STSv1; id=2"],
        ["v=STSv1;"],
        ["v=STSv1; id="],
        ["v=STSv1; id=a-b"],
        ["v=STSv1; id=" + "1" * 33],
        ["v=STSv1; id=1; so what"],
    ],
)
def test_what_is_wrong(records: list[str]) -> None:
    with pytest.raises(StsInvalid):
        parse_record(records)


def test_the_id_follows_the_policy() -> None:
    first, second = (
        write_record("version: STSv1\r\n"),
        write_record("version: STSv1\r\nmode: none\r\n"),
    )
    assert first != second
    assert parse_record([first])
