import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.bounce.notice import (
    MAX_READ_OCTETS,
    Form,
    NoticeRecipient,
    read_notice,
    reply_of,
)
from postroad.message.dsn import Action, RecipientReport, Report, build_dsn
from postroad.model import Address, Reply


def our_dsn(action: Action = Action.FAILED) -> bytes:
    to = Address("jo", "there.test")
    recipient = RecipientReport(
        recipient=to,
        original=to,
        action=action,
        reply=Reply(550 if action is Action.FAILED else 250, "", "no such user here"),
        remote_mta="mx.there.test",
    )
    return build_dsn(
        Report(
            id=7,
            at=1e9,
            hostname="mail.here.test",
            to=Address("us", "here.test"),
            about=6,
            arrived_at=1e9,
            recipients=(recipient,),
            message_id="<1@here.test>",
            envid="abc+2B1",
            returned=b"Message-ID: <1@here.test>\r\nSubject: x\r\n\r\n",
        )
    ).data


def test_what_we_write_is_what_we_read() -> None:
    notice = read_notice(our_dsn())
    assert notice is not None
    assert notice.form is Form.DELIVERY_STATUS
    assert notice.message_id == "<1@here.test>"
    assert notice.envelope_id == "abc+1"
    assert notice.reporting_mta == "mail.here.test"
    assert notice.recipients == (
        NoticeRecipient(
            address="jo@there.test",
            failed=True,
            status="5.0.0",
            diagnostic="550 no such user here",
            remote_mta="mx.there.test",
        ),
    )


def test_a_delivery_is_no_failure() -> None:
    notice = read_notice(our_dsn(Action.DELIVERED))
    assert notice is not None
    assert [(each.failed, each.delivered) for each in notice.recipients] == [(False, True)]


def test_files_whose_lines_end_in_lf() -> None:
    data = our_dsn()
    assert read_notice(data.replace(b"\r\n", b"\n")) == read_notice(data)


def test_a_complaint() -> None:
    notice = read_notice(
        b"From: fbl@isp.test\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nThis is an abuse report.\r\n"
        b"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n"
        b"User-Agent: X/1\r\nOriginal-Rcpt-To: <jo@there.test>\r\n\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <2@here.test>\r\n\r\nhi\r\n--b--\r\n"
    )
    assert notice is not None
    assert (notice.form, notice.feedback_type) == (Form.FEEDBACK, "abuse")
    assert [each.address for each in notice.recipients] == ["jo@there.test"]
    assert notice.message_id == "<2@here.test>"


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (NoticeRecipient(address="a@b", failed=True), None),
        (
            NoticeRecipient(address="a@b", failed=True, diagnostic="User unknown"),
            Reply(550, "5.0.0", "User unknown"),
        ),
        (
            NoticeRecipient(address="a@b", diagnostic="mailbox full"),
            Reply(450, "4.0.0", "mailbox full"),
        ),
        (
            NoticeRecipient(address="a@b", failed=True, status="5.1.1"),
            Reply(550, "5.1.1", ""),
        ),
        (
            NoticeRecipient(address="a@b", failed=True, diagnostic="250 ok"),
            Reply(550, "5.0.0", "5.0.0"),
        ),
    ],
)
def test_the_reply_that_a_notice_stands_for(said: NoticeRecipient, reply: Reply | None) -> None:
    assert reply_of(said) == reply


def test_words_for_people() -> None:
    notice = read_notice(
        b"From: MAILER-DAEMON@there.test\r\nSubject: failure notice\r\n\r\n"
        b"Hi. This is the qmail-send program at there.test.\r\nI wasn't able to deliver.\r\n\r\n"
        b"<jo@there.test>:\r\nSorry, no mailbox here by that name.\r\n\r\n--- Below this line\r\n"
    )
    assert notice is not None
    assert notice.form is Form.WORDS
    (recipient,) = notice.recipients
    assert (recipient.address, recipient.failed) == ("jo@there.test", True)
    assert recipient.diagnostic == "Sorry, no mailbox here by that name"


@pytest.mark.parametrize("message", [b"", b"Subject: hi\r\n\r\nSee you <jo@there.test>.\r\n"])
def test_other_mail_is_no_notice(message: bytes) -> None:
    assert read_notice(message) is None


def test_only_the_beginning_of_a_large_message_is_read() -> None:
    large = b"Subject: x\r\n\r\n" + b"x" * MAX_READ_OCTETS + our_dsn()
    assert read_notice(large) is None


@given(st.lists(st.sampled_from(our_dsn().split(b"\r\n")) | st.binary(max_size=60), max_size=60))
def test_nothing_makes_it_raise(lines: list[bytes]) -> None:
    read_notice(b"\r\n".join(lines))
