"""Persons who write to persons are answered, and nobody else."""

import pytest

from postroad.message.auto_reply import build_answer, why_not
from postroad.message.header import Header
from postroad.message.mime import MimeMessage
from postroad.model import Address, Vacation

BOB = Address.parse("bob@far.example")
ANN = Address.parse("ann@example.org")
ALIAS = Address.parse("sales@example.org")
AWAY = Vacation(enabled=True, text="I am away.\n")


def header(*more: str, to: str = "Ann <ANN@example.org>") -> Header:
    lines = [
        "From: bob@far.example",
        f"To: {to}",
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
        "Message-ID: <two@far.example>",
        "References: <one@far.example>",
        *more,
    ]
    return Header.parse("\r\n".join([*lines, "", ""]).encode())


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("Auto-Submitted: no",),
        ("Precedence: first-class",),
        ("Content-Type: multipart/mixed; boundary=x",),
    ],
)
def test_what_is_answered(fields: tuple[str, ...]) -> None:
    assert why_not(header(*fields), BOB, (ANN,)) == ""


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-generated",
        "auto-submitted: Auto-Replied; owner=x",
        "List-Id: <news.far.example>",
        "List-Unsubscribe: <mailto:x@far.example>",
        "Precedence: Bulk",
        "Precedence: list",
        "X-Auto-Response-Suppress: OOF",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=x",
    ],
)
def test_lists_machines_and_reports_are_not_answered(field: str) -> None:
    assert why_not(header(field), BOB, (ANN,)) != ""


@pytest.mark.parametrize(
    "sender",
    [
        "MAILER-DAEMON@far.example",
        "owner-news@far.example",
        "news-request@far.example",
        "noreply@far.example",
        "Ann@example.org",
    ],
)
def test_senders_that_are_no_persons_are_not_answered(sender: str) -> None:
    assert why_not(header(), Address.parse(sender), (ANN,)) != ""


def test_the_null_sender_is_not_answered() -> None:
    assert why_not(header(), None, (ANN,)) == "it has no sender"


def test_the_owner_has_to_be_named() -> None:
    assert why_not(header(to="friends:;"), BOB, (ANN,)) != ""
    assert why_not(header(to="other@example.org"), BOB, (ANN,)) != ""
    assert why_not(header("Cc: x@y, sales@example.org", to="a@b"), BOB, (ANN, ALIAS)) == ""
    assert why_not(header("Resent-To: ann@example.org", to="a@b"), BOB, (ANN,)) == ""
    assert why_not(header(to="<<<,,;@@" * 50), BOB, (ANN,)) != ""


def test_what_the_answer_says() -> None:
    answer = MimeMessage(build_answer(AWAY, header(), ANN, BOB))
    fields = {name: value.strip() for name, value in answer.fields()}
    assert fields["auto-submitted"] == b"auto-replied"
    assert fields["from"] == b"ann@example.org"
    assert fields["to"] == b"bob@far.example"
    assert answer.text("subject") == "Auto: Grüße"
    assert fields["in-reply-to"] == b"<two@far.example>"
    assert fields["references"].split() == [b"<one@far.example>", b"<two@far.example>"]
    assert b"I am away." in build_answer(AWAY, header(), ANN, BOB)


def test_an_answer_with_a_subject_and_one_without_anything() -> None:
    vacation = Vacation(enabled=True, subject="Out\r\nBcc: x@y", html="<p>away</p>")
    answer = build_answer(vacation, Header.parse(b"\r\n"), ANN, BOB)
    assert b"Subject: Out Bcc: x@y\r\n" in answer
    assert b"\r\nBcc:" not in answer
    assert b"text/html" in answer
    assert b"In-Reply-To" not in answer
    answer = build_answer(Vacation(enabled=True), Header.parse(b"\r\n"), ANN, BOB)
    assert b"Subject: Automatic answer\r\n" in answer
    assert b"ann@example.org is away" in answer
