"""What is noticed of a message, whatever it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mailbox.glance import MAX_PREVIEW, base_subject, look, preview_of
from postroad.model import Glance


def glance(data: bytes) -> Glance:
    return look(data, email=1, thread=2, mailbox=3, uid=4)


def test_a_letter() -> None:
    found = glance(
        b"From: =?utf-8?q?J=C3=B6?= <jo@x.test>\r\nTo: A <a@b.test>, c@d.test\r\n"
        b"Subject: Re: [list] Plan\r\nDate: Wed, 25 Nov 2026 12:00:00 +0000\r\n"
        b"Message-ID: <2@x>\r\nReferences: <0@x>\r\n <1@x>\r\n\r\nWords  to\r\nfind\r\n"
    )
    assert (found.id, found.thread, found.mailbox, found.uid) == (1, 2, 3, 4)
    assert (found.author, found.addressee, found.subject) == ("jö", "a", "plan")
    assert found.sent_at == 1795608000.0
    assert len(found.keys) == 3
    summary = json.loads(found.summary)
    assert summary["preview"] == "Words to find"
    assert summary["references"] == ["0@x", "1@x"]
    assert summary["cc"] is None
    assert found.words.body.split() == ["Words", "to", "find"]
    assert found.words.to == "A a@b.test  c@d.test"


def letter(subject: str, number: str, more: str = "") -> Glance:
    return glance(f"Subject: {subject}\r\nMessage-ID: <{number}>\r\n{more}\r\n".encode())


def test_what_belongs_together() -> None:
    first, reply = letter("Plan", "1@x"), letter("Re: plan", "2@x", "In-Reply-To: <1@x>\r\n")
    assert first.keys[0] in reply.keys
    other = letter("Another", "3@x", "In-Reply-To: <1@x>\r\n")
    assert not set(first.keys) & set(other.keys), "another subject is another thread"
    assert glance(b"Subject: x\r\n\r\n").keys == ()


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("Plan", "plan"),
        ("Re: Plan", "plan"),
        ("RE: AW: Fwd: [list] Plan (fwd)", "plan"),
        ("Re[2]: Plan  for   us", "plan for us"),
        ("Re:", "re:"),
        ("[only]", "[only]"),
        ("Reply: x", "reply: x"),
        ("", ""),
        ("Re: " * 5000 + "x", "x"),
    ],
    ids=lambda value: value[:20],
)
def test_subjects(subject: str, base: str) -> None:
    found = base_subject(subject)
    assert found == base or len(subject) > 10_000


def test_attachments() -> None:
    both = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"
        b"Content-Type: image/png\r\nContent-Disposition: %s\r\n\r\nx\r\n--b--\r\n"
    )
    assert glance(both % b"attachment").attachment
    assert not glance(b"Subject: x\r\n\r\ntext\r\n").attachment


def test_previews_are_short() -> None:
    assert preview_of(" a\n\n b\t c ") == "a b c"
    assert len(preview_of("word " * 1000)) <= MAX_PREVIEW


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    found = glance(data)
    assert json.loads(found.summary).keys() >= {"subject", "from", "preview"}
    assert all(0 <= key < 2**63 for key in found.keys)
