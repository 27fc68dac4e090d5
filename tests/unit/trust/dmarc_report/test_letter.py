"""The mail that carries a report."""

import gzip
from email import message_from_bytes, policy

import pytest

from postroad.trust.dmarc_report import read_aggregate
from postroad.trust.dmarc_report.letter import Letter, write_letter
from tests.unit.trust.dmarc_report.scene import REPORT

LETTER = Letter(
    "postmaster@here.test",
    "dmarc@there.test",
    "here.test",
    "Wed, 25 Nov 2026 00:00:00 +0000",
    "<1@here.test>",
)


def test_the_letter() -> None:
    data = write_letter(LETTER, REPORT)
    assert data == write_letter(LETTER, REPORT)
    assert data.count(b"\n") == data.count(b"\r\n")
    message = message_from_bytes(data, policy=policy.default)
    assert message["Subject"] == (
        "Report Domain: there.test Submitter: here.test Report-ID: <20261125.1@here.test>"
    )
    assert message["Auto-Submitted"] == "auto-generated"
    (file,) = message.iter_attachments()
    assert file.get_content_type() == "application/gzip"
    assert file.get_filename() == (
        "here.test!there.test!1795564800!1795651199!20261125.1@here.test.xml.gz"
    )
    assert read_aggregate(gzip.decompress(file.get_content())) == REPORT


def test_a_line_end_in_a_name() -> None:
    with pytest.raises(ValueError, match=r"newline|linefeed"):
        write_letter(Letter("a@b.c\r\nBcc: x@y.z", "", "", "", ""), REPORT)
