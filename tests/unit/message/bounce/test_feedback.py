from hypothesis import given
from hypothesis import strategies as st

from postroad.message.bounce.feedback import FeedbackReport, read_feedback, returned_header
from postroad.message.parts import Part

RETURNED = Part(
    "message/rfc822",
    "",
    b"From: us@here.test\r\nTo: Jo <jo@there.test>\r\nMessage-ID: <1@x>\r\n\r\nhi",
)


def report(body: bytes) -> Part:
    return Part("message/feedback-report", "", body)


def test_who_complained_is_named() -> None:
    found = read_feedback(
        [
            report(
                b"Feedback-Type: Abuse\r\nUser-Agent: SomeGenerator/1.0\r\nVersion: 1\r\n"
                b"Original-Mail-From: <us@here.test>\r\nOriginal-Rcpt-To: <jo@there.test>\r\n"
                b"Original-Rcpt-To: ann@there.test\r\nSource-IP: 192.0.2.1\r\n"
                b"Arrival-Date: Thu, 8 Mar 2005 14:00:00 EDT\r\n"
            ),
            RETURNED,
        ]
    )
    assert found == FeedbackReport(
        "abuse",
        ("jo@there.test", "ann@there.test"),
        "SomeGenerator/1.0",
        "us@here.test",
        "192.0.2.1",
        "Thu, 8 Mar 2005 14:00:00 EDT",
    )


def test_who_complained_is_the_one_recipient_of_the_message() -> None:
    found = read_feedback([report(b"Feedback-Type: abuse\r\n"), RETURNED])
    assert found is not None
    assert found.addresses == ("jo@there.test",)


def test_with_several_recipients_nobody_knows_who_complained() -> None:
    many = Part("message/rfc822", "", b"To: jo@there.test, ann@there.test\r\n\r\n")
    found = read_feedback([report(b"Feedback-Type: abuse\r\n"), many])
    assert found is not None
    assert found.addresses == ()


def test_outlook_sends_the_message_alone() -> None:
    found = read_feedback(
        [Part("message/rfc822", "", b"X-HmXmrOriginalRecipient: <jo@outlook.test>\r\n\r\n")]
    )
    assert found == FeedbackReport("abuse", ("jo@outlook.test",), "Outlook.com JMRP")


def test_other_mail_is_no_complaint() -> None:
    assert read_feedback([Part("text/plain", "", b"Feedback-Type: abuse"), RETURNED]) is None
    assert returned_header([RETURNED]).get("message-id") == "<1@x>"
    assert returned_header([]).get("message-id") is None


@given(st.binary(max_size=2_000), st.binary(max_size=2_000))
def test_nothing_makes_it_raise(body: bytes, message: bytes) -> None:
    read_feedback([report(body), Part("message/rfc822", "", message)])
