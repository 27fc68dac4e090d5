"""Letters, read back by the standard library and by our own reader."""

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.compose import Attachment, Letter, LetterInvalid, Person, compose
from postroad.message.mime import MimeMessage
from postroad.model import Address

ANN, BOB = Address("ann", "here.test"), Address("bob", "there.test")
IMAGE = Attachment(b"\x89PNG" * 40, "logo.png", "image/png", "logo@here.test")
FILE = Attachment(
    bytes(range(256)), "Übersicht der Rechnungen des vergangenen Jahres.pdf", "application/pdf"
)


def read(data: bytes) -> EmailMessage:
    assert b"\r\n" in data
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    found = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert found.defects == []
    return found


def letter(**more: Any) -> Letter:
    given: dict[str, Any] = {"to": (Person(BOB),), "subject": "Hi", "text": "x"} | more
    return Letter(given.pop("author", Person(ANN)), **given)


def shape(message: EmailMessage) -> object:
    kind = message.get_content_type()
    if not message.is_multipart():
        return kind
    return (kind, *(shape(part) for part in message.iter_parts()))  # type: ignore[arg-type]


def test_text_alone() -> None:
    data = compose(letter(text="Hello\nBob\n"))
    assert data == (
        b"From: ann@here.test\r\nTo: bob@there.test\r\nSubject: Hi\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=us-ascii\r\n\r\nHello\r\nBob\r\n"
    )


def test_the_parts_are_nested_as_they_should() -> None:
    everything = letter(html="<img src='cid:logo@here.test'>", attachments=(FILE, IMAGE))
    found = read(compose(everything))
    assert shape(found) == (
        "multipart/mixed",
        ("multipart/alternative", "text/plain", ("multipart/related", "text/html", "image/png")),
        "application/pdf",
    )
    assert shape(read(compose(letter(html="<p>")))) == (
        "multipart/alternative",
        "text/plain",
        "text/html",
    )
    assert shape(read(compose(letter(text=None, html="<p>")))) == "text/html"
    assert shape(read(compose(letter(attachments=(IMAGE,))))) == (
        "multipart/mixed",
        "text/plain",
        "image/png",
    )
    (file,) = found.iter_attachments()
    assert file.get_filename() == FILE.filename
    assert file.get_content() == FILE.content
    images = [part for part in found.walk() if part["content-id"] == "<logo@here.test>"]
    assert [part.get_content_disposition() for part in images] == ["inline"]
    root = MimeMessage(compose(everything)).root
    assert len(root.children) == 2


def test_what_is_not_ascii_is_encoded() -> None:
    found = read(
        compose(
            letter(
                author=Person(ANN, "Änn Größe-Übermaß von und zu den langen Namen, Gräfin"),
                to=(Person(BOB, 'Bob "the" Builder, Jr.'), Person(ANN)),
                subject="Grüße " * 40,
                text="Schöne Grüße, " * 100,
                html="汉字" * 200,
                fields=(
                    ("X-Order", "é"),
                    ("List-Unsubscribe", "<https://a.test/" + "u" * 300 + ">"),
                ),
            )
        )
    )
    ours = MimeMessage(found.as_bytes(policy=email.policy.SMTP)).addresses
    assert ours("from")[0].name.endswith("langen Namen, Gräfin")
    assert [each.name for each in ours("to")] == ['Bob "the" Builder, Jr.', ""]
    assert found["subject"] == ("Grüße " * 40).strip() or found["subject"] == "Grüße " * 40
    assert found["x-order"] == "é"
    assert found["list-unsubscribe"].endswith("u>")
    text, html = found.iter_parts()
    assert text.get_content().strip() == ("Schöne Grüße, " * 100).strip()
    assert html.get_content().strip() == "汉字" * 200


def test_lines_that_are_too_long_and_boundaries_in_the_text() -> None:
    hostile = "--=_postroad_alternative\n" + "a" * 5000 + "\n.\nFrom me\n"
    found = read(compose(letter(text=hostile, html=hostile)))
    assert shape(found) == ("multipart/alternative", "text/plain", "text/html")
    for part in found.iter_parts():
        assert part.get_content().replace("\r\n", "\n").rstrip("\n") == hostile.rstrip("\n")


@pytest.mark.parametrize(
    "bad", ["a\r\nBcc: x", "a\nb", "a\rb", "a\0b", "a\x85b", "a\u2028b", "\ud800"]
)
def test_nothing_that_ends_a_line_comes_into_a_header(bad: str) -> None:
    cases: dict[str, dict[str, Any]] = {
        "subject": {"subject": bad},
        "from.name": {"author": Person(ANN, bad)},
        "to[1].name": {"to": (Person(BOB), Person(BOB, bad))},
        "headers.X-A": {"fields": (("X-A", bad),)},
        "headers": {"fields": ((f"X{bad}", "a"),)},
        "attachments[0].filename": {"attachments": (Attachment(b"", bad),)},
        "attachments[0].content_type": {"attachments": (Attachment(b"", "a", bad),)},
        "attachments[0].content_id": {"attachments": (Attachment(b"", "a", "a/b", bad),)},
    }
    for field, more in cases.items():
        with pytest.raises(LetterInvalid) as caught:
            compose(letter(**more))
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("headers", {"fields": (("Bcc", "x@y.test"),)}),
        ("headers", {"fields": (("content-type", "text/plain"),)}),
        ("headers", {"fields": (("", "x"),)}),
        ("headers", {"fields": (("A:b", "x"),)}),
        ("headers", {"fields": tuple((f"X-{n}", "x") for n in range(101))}),
        ("headers.x-a", {"fields": (("X-A", "1"), ("x-a", "2"))}),
        ("headers.X-A", {"fields": (("X-A", "a" * 2000),)}),
        ("headers.Message-ID", {"fields": (("Message-ID", "17"),)}),
        ("headers.message-id", {"fields": (("message-id", "<a@b> <c@d>"),)}),
        ("headers.Message-ID", {"fields": (("Message-ID", "<ä@b>"),)}),
        ("headers.Message-ID", {"fields": (("Message-ID", f"<{'a' * 900}@b>"),)}),
        ("subject", {"subject": "a" * 20_000}),
        ("text", {"text": "a\0b"}),
        ("html", {"html": "\ud800"}),
        ("attachments[0].content_type", {"attachments": (Attachment(b"", "a", "message/rfc822"),)}),
        ("attachments", {"attachments": (Attachment(b""),) * 501}),
    ],
)
def test_what_cannot_be_in_a_message(field: str, more: dict[str, Any]) -> None:
    with pytest.raises(LetterInvalid) as caught:
        compose(letter(**more))
    assert caught.value.field == field


def test_a_message_id_of_the_callers_own_stays() -> None:
    data = compose(letter(fields=(("Message-ID", "<17:a/b%c@[192.0.2.1]>"),)))
    assert b"Message-ID: <17:a/b%c@[192.0.2.1]>\r\n" in data


WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=120)


@given(WORDS, WORDS, st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=300))
def test_what_was_written_is_read(subject: str, name: str, text: str) -> None:
    found = read(
        compose(
            letter(
                subject=subject,
                author=Person(ANN, name),
                text=text,
                attachments=(Attachment(b"x", name),),
            )
        )
    )
    whole = MimeMessage(compose(letter(subject=subject)))
    assert " ".join(whole.text("subject").split()) == " ".join(subject.split())
    assert found["from"].addresses[0].addr_spec == "ann@here.test"
    body = next(iter(found.iter_parts()))
    assert body.get_content().rstrip("\n") == text.replace("\r\n", "\n").rstrip("\n")
