from hypothesis import given
from hypothesis import strategies as st

from postroad.message.bounce.delivery_status import (
    MAX_RECIPIENTS,
    DeliveryReport,
    RecipientStatus,
    read_delivery_status,
    status_in,
)
from postroad.message.parts import Part


def read(body: str) -> DeliveryReport:
    report = read_delivery_status([Part("message/delivery-status", "", body.encode())])
    assert report is not None
    return report


def test_all_that_a_report_says() -> None:
    report = read(
        "Reporting-MTA: dns; mx.example.org\r\nOriginal-Envelope-Id: QQ314159\r\n\r\n"
        "Original-Recipient: rfc822;jo@example.org\r\nFinal-Recipient: RFC822; jo@inner.example.org\r\n"
        "Action: failed\r\nStatus: 5.1.1 (bad destination)\r\nRemote-MTA: dns; relay.example.org\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1\r\n no such user\r\n\r\n"
        "Final-Recipient: rfc822;late@example.org\r\nAction: delayed\r\nStatus: 4.4.1\r\n"
    )
    assert report == DeliveryReport(
        "mx.example.org",
        "QQ314159",
        (
            RecipientStatus(
                original="jo@example.org",
                final="jo@inner.example.org",
                action="failed",
                status="5.1.1",
                remote_mta="relay.example.org",
                diagnostic="550 5.1.1 no such user",
            ),
            RecipientStatus(final="late@example.org", action="delayed", status="4.4.1"),
        ),
    )
    assert [each.address for each in report.recipients] == ["jo@example.org", "late@example.org"]
    assert [(each.failed, each.delayed) for each in report.recipients] == [
        (True, False),
        (False, True),
    ]


def test_what_servers_write_instead() -> None:
    report = read(
        "Reporting-MTA: mx.example.org\n\nFinal-Recipient: <jo@example.org>\nAction: error (gave up)\n\n"
        "Final-Recipient: rfc822; <ann@example.org>\nAction: failed\nDiagnostic-Code: 550 no\n\n"
        "Final-Recipient: utf-8; j\\x{F6}@example.org\nAction: failed\n\n"
        "Final-Recipient: rfc822; nobody\nAction: failed\n\nAction: failed\n"
    )
    assert report.reporting_mta == "mx.example.org"
    assert [each.address for each in report.recipients] == [
        "jo@example.org",
        "ann@example.org",
        "jö@example.org",
    ]
    assert all(each.failed for each in report.recipients)
    assert report.recipients[1].diagnostic == "550 no"


def test_a_message_without_status_parts_is_none() -> None:
    assert read_delivery_status([Part("text/plain", "", b"Action: failed")]) is None


def test_recipients_are_bounded() -> None:
    one = "Final-Recipient: rfc822; jo@example.org\nAction: failed\n\n"
    assert len(read(one * (MAX_RECIPIENTS * 2)).recipients) == MAX_RECIPIENTS


def test_status_in_words() -> None:
    assert status_in("550 5.1.1 <x> at 10.5.1.1.9") == "5.1.1"
    assert status_in("host 192.5.1.1 said 250") == ""


@given(st.binary(max_size=2_000))
def test_nothing_makes_it_raise(body: bytes) -> None:
    read_delivery_status([Part("message/delivery-status", "", body)])
