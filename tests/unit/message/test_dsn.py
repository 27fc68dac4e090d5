"""Reports, read back by the standard library."""

import email
from email.message import Message as ParsedMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.dsn import Action, RecipientReport, Report, build_dsn, status_of, wrap
from postroad.model import Address, Body, Reply

AT = 1_700_000_000.0
BOB = Address("bob", "there.example")
HEADER = b"From: alice@here.example\r\nSubject: a\r\n long one\r\n"
REPLY = Reply(550, "5.1.1", "no such user\nreally not")


def recipient(**how: Any) -> RecipientReport:
    given = {"recipient": BOB, "original": BOB, "action": Action.FAILED, "reply": REPLY, **how}
    return RecipientReport(**given)


def report(*recipients: RecipientReport, **how: Any) -> Report:
    given = {
        "id": 99,
        "at": AT,
        "hostname": "mx.here.example",
        "to": Address("alice", "here.example"),
        "about": 77,
        "arrived_at": AT - 60,
        "recipients": recipients or (recipient(),),
        "returned": HEADER,
        **how,
    }
    return Report(**given)


def read(data: bytes) -> tuple[ParsedMessage, str, list[ParsedMessage], ParsedMessage]:
    mail = email.message_from_bytes(data)
    assert not mail.defects
    assert mail.get_content_type() == "multipart/report"
    assert mail.get_param("report-type") == "delivery-status"
    parts = mail.get_payload()
    assert isinstance(parts, list)
    human, status, returned = parts
    assert isinstance(human, ParsedMessage)
    assert isinstance(status, ParsedMessage)
    assert isinstance(returned, ParsedMessage)
    assert human.get_content_type() == "text/plain"
    text = human.get_payload(decode=True)
    assert isinstance(text, bytes)
    body = status.get_payload()
    if isinstance(body, str):  # message/global-delivery-status is new to this reader
        blocks = [email.message_from_string(block) for block in body.strip().split("\n\n")]
    else:
        assert isinstance(body, list)
        blocks = [block for block in body if isinstance(block, ParsedMessage)]
    return mail, text.decode(human.get_content_charset() or "ascii"), blocks, returned


def sound(data: bytes) -> None:
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert b"\0" not in data


def test_a_failure() -> None:
    dsn = build_dsn(
        report(
            recipient(
                orcpt="rfc822;robert+40there.example",
                remote_mta="mx.there.example",
                last_attempt_at=AT - 1,
            ),
            message_id="<1@client>",
            envid="QQ+2B314",
        )
    )
    sound(dsn.data)
    mail, text, (message, bob), returned = read(dsn.data)
    assert mail["From"] == "Mail Delivery System <mailer-daemon@mx.here.example>"
    assert mail["To"] == "<alice@here.example>"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["References"] == "<1@client>"
    assert mail["Message-ID"] == dsn.message_id
    assert message["Reporting-MTA"] == "dns; mx.here.example"
    assert message["Original-Envelope-Id"] == "QQ+314"
    assert message["Arrival-Date"] == "Tue, 14 Nov 2023 22:12:20 +0000"
    assert bob["Original-Recipient"] == "rfc822; robert@there.example"
    assert bob["Final-Recipient"] == "rfc822; bob@there.example"
    assert bob["Action"] == "failed"
    assert bob["Status"] == "5.1.1"
    assert bob["Remote-MTA"] == "dns; mx.there.example"
    assert bob["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user really not"
    assert bob["Last-Attempt-Date"] == "Tue, 14 Nov 2023 22:13:19 +0000"
    assert "mx.there.example said: 550 5.1.1 no such user really not" in text
    assert "misspellings" in text
    assert returned.get_content_type() == "text/rfc822-headers"
    assert returned.get_payload() == HEADER.decode()
    assert (dsn.body, dsn.smtputf8) == (Body.SEVEN_BIT, False)


def test_the_same_report_twice_is_the_same_bytes() -> None:
    assert build_dsn(report()).data == build_dsn(report()).data


@pytest.mark.parametrize("action", list(Action))
def test_every_action_tells_its_story(action: Action) -> None:
    mail, text, blocks, _ = read(build_dsn(report(recipient(action=action))).data)
    assert blocks[1]["Action"] == action.value
    assert mail["Subject"].lower().startswith(("undeliv", action.value[:5]))
    assert "<bob@there.example>" in text


def test_the_gravest_names_the_report() -> None:
    mail, *_ = read(build_dsn(report(recipient(action=Action.DELAYED), recipient())).data)
    assert mail["Subject"].startswith("Undeliverable")


def test_addresses_beyond_ascii_make_it_global() -> None:
    boss = Address("bøss", "there.example")
    dsn = build_dsn(
        report(
            recipient(recipient=boss, original=boss, orcpt="utf-8;b\\x{F8}ss@there.example"),
            to=Address("älice", "here.example"),
        )
    )
    sound(dsn.data)
    assert (dsn.body, dsn.smtputf8) == (Body.EIGHT_BIT_MIME, True)
    parts = [part.get_content_type() for part in email.message_from_bytes(dsn.data).walk()]
    assert "message/global-delivery-status" in parts
    assert "message/global-headers" in parts
    assert "Final-Recipient: utf-8; bøss@there.example\r\n".encode() in dsn.data
    assert "Original-Recipient: utf-8; bøss@there.example\r\n".encode() in dsn.data


def test_full_return() -> None:
    content = HEADER + b"\r\nthe body\r\n"
    dsn = build_dsn(report(returned=content, full=True))
    returned = read(dsn.data)[3]
    assert returned.get_content_type() == "message/rfc822"
    assert content in dsn.data


@pytest.mark.parametrize("bad", [b"a\nb\r\n", b"a\rb\r\n", b"a\0b\r\n", b"x" * 999 + b"\r\n"])
def test_what_cannot_be_embedded_shrinks_to_its_header(bad: bytes) -> None:
    dsn = build_dsn(report(returned=HEADER + b"X: " + bad + b"\r\n" + bad, full=True))
    sound(dsn.data)
    returned = read(dsn.data)[3]
    assert returned.get_content_type() == "text/rfc822-headers"
    assert HEADER in dsn.data


def test_the_boundary_never_occurs_inside() -> None:
    trap = build_dsn(report()).data.split(b'boundary="')[1].split(b'"')[0]
    content = HEADER + b"\r\n--" + trap + b"--\r\n--" + trap + b"_\r\n"
    mail, *_ = read(build_dsn(report(returned=content, full=True)).data)
    assert len(mail.get_payload()) == 3


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=300), st.text(max_size=100))
def test_nothing_foreign_breaks_out(envid: str, orcpt: str, text: str, remote: str) -> None:
    words = "".join(c for c in text if c >= " " and c != "\x7f" and not 0xD800 <= ord(c) <= 0xDFFF)
    dsn = build_dsn(
        report(
            recipient(reply=Reply(550, "", words), orcpt=orcpt, remote_mta=remote),
            envid=envid,
            message_id=text,
        )
    )
    sound(dsn.data)
    mail, _, blocks, _ = read(dsn.data)
    assert len(blocks) == 2
    allowed = {
        "Reporting-MTA",
        "Original-Envelope-Id",
        "Arrival-Date",
        "Original-Recipient",
        "Final-Recipient",
        "Action",
        "Status",
        "Remote-MTA",
        "Diagnostic-Code",
    }
    assert {name for block in blocks for name in block} <= allowed
    assert len(mail.get_all("To", [])) == 1


@given(st.binary(max_size=400), st.booleans())
def test_any_content_can_be_returned(content: bytes, full: bool) -> None:
    dsn = build_dsn(report(returned=content, full=full))
    sound(dsn.data)
    assert dsn.data.isascii() == (dsn.body is Body.SEVEN_BIT)
    read(dsn.data)


def test_status_is_derived_where_there_is_none() -> None:
    assert status_of(Reply(550, "5.7.1")) == "5.7.1"
    assert status_of(Reply(550)) == "5.0.0"
    assert status_of(Reply(452)) == "4.3.1"


@given(st.text(max_size=3000))
def test_wrapping_loses_no_letter(text: str) -> None:
    lines = wrap(text)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(map(len, lines)) <= 277
