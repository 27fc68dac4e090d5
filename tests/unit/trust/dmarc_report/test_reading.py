"""Reading reports: what we write comes back; what is wrong is told or refused."""

import gzip

import pytest

from postroad.trust.dmarc_report import ReportInvalid, read_aggregate, read_message, write_aggregate
from postroad.trust.dmarc_report.letter import Letter, write_letter
from tests.unit.trust.dmarc_report.scene import REPORT

PLAIN = write_aggregate(REPORT)


def changed(old: str, new: str) -> bytes:
    assert old in PLAIN.decode()
    return PLAIN.decode().replace(old, new, 1).encode()


def test_what_we_write_comes_back() -> None:
    assert read_aggregate(PLAIN) == REPORT
    assert read_aggregate(gzip.compress(PLAIN)) == REPORT
    assert (REPORT.messages, REPORT.passed) == (5, 3)


def test_in_a_message() -> None:
    letter = Letter("a@here.test", "b@there.test", "here.test", "x", "<1@here.test>")
    assert read_message(write_letter(letter, REPORT)) == REPORT
    assert read_message(b"Subject: x\r\n\r\nhello") is None
    broken = b"Content-Type: text/xml\r\n\r\nhello"
    with pytest.raises(ReportInvalid, match="no <feedback>"):
        read_message(broken)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<domain>there.test</domain>", ""),
        ("<begin>1795564800</begin>", "<begin>soon</begin>"),
        ("<end>1795651199</end>", "<end>999999999999</end>"),
        ("<end>1795651199</end>", ""),
        ("</feedback>", ""),
    ],
)
def test_what_is_no_report(old: str, new: str) -> None:
    with pytest.raises(ReportInvalid):
        read_aggregate(changed(old, new))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("<count>3</count>", "<count>-3</count>", "row 1: its count is '-3'"),
        ("<count>2</count>", "", "row 2: its count is ''"),
        ("<count>2</count>", "<count>" + "9" * 30 + "</count>", "row 2: its count is"),
        ("192.0.2.1", "localhost", "row 1: 'localhost' does not appear"),
    ],
)
def test_rows_that_cannot_be_read_are_told(old: str, new: str, problem: str) -> None:
    report = read_aggregate(changed(old, new))
    assert len(report.rows) == 1
    assert report.problems[0].startswith(problem)


def test_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from postroad.trust.dmarc_report import reading

    monkeypatch.setattr(reading, "MAX_ROWS", 1)
    with pytest.raises(ReportInvalid, match="more than 1 rows"):
        read_aggregate(PLAIN)
