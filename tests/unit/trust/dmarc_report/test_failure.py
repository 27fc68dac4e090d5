"""Failure reports; those of the wild are in tests/conformance."""

from hypothesis import given
from hypothesis import strategies as st

from postroad.trust.dmarc_report import read_failure_report

ARF = b"""\
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: auth-failure
Auth-Failure: DMARC
Source-IP: 192.0.2.1
Reported-Domain: Here.test
Original-Mail-From: <jo@here.test>
--b
Content-Type: text/rfc822-headers

From: Jo <jo@here.test>
Subject: =?utf-8?q?x?=
--b--
"""


def test_arf() -> None:
    report = read_failure_report(ARF)
    assert report is not None
    assert report.structured
    assert (report.auth_failure, report.source_ip) == ("dmarc", "192.0.2.1")
    assert (report.reported_domain, report.original_mail_from) == ("here.test", "jo@here.test")
    assert report.author == "Jo <jo@here.test>"


def test_what_is_none() -> None:
    assert read_failure_report(b"Subject: DMARC failure report\r\n\r\nhello") is None
    assert read_failure_report(b"Subject: hello\r\n\r\nSender Domain: x\r\n") is None
    assert read_failure_report(b"") is None


@given(st.binary(max_size=300))
def test_never_raises(data: bytes) -> None:
    read_failure_report(data)
    read_failure_report(b"Subject: DMARC failure report\n\n" + data)
    read_failure_report(b"Content-Type: message/feedback-report\n\n" + data)
