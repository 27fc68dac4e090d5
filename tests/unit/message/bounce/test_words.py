import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.bounce.words import MAX_READ_OCTETS, MAX_WORDS, text_for_people, words_about
from postroad.message.parts import Part


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<jo@there.test>:\nNo mailbox here.\n\nBye\n", "No mailbox here"),
        ("  jo@there.test\n    unknown local-part\n\n", "unknown local-part"),
        ("Failed:\n\njo@there.test\n\nReason: quota exceeded\n\nx", "Reason: quota exceeded"),
        ("User's mailbox is full: <jo@there.test>\n\n", "User's mailbox is full"),
        ("JO@THERE.TEST: 550 no\nsuch user\n", "550 no such user"),
        ("jo@there.test\n----- Original message -----\nno such user\n", ""),
        ("jo@there.test: gone\nReceived: by no such user\n", "gone"),
        # What its own fields say is not what the server says.
        (
            "To: jo@there.test\nSubject: no such user\n\njo@there.test: mailbox full\n",
            "mailbox full",
        ),
        ("jo@there.test\n  Subject: no such user\n  reason: full\n", "reason: full"),
        ("To: jo@there.test\n", ""),
        ("somebody else\n", ""),
        ("", ""),
    ],
)
def test_what_is_said_of_an_address(text: str, words: str) -> None:
    assert words_about("jo@there.test", text) == words


def test_no_address_has_no_words() -> None:
    assert words_about("", "mailbox full") == ""


def test_it_is_bounded() -> None:
    assert len(words_about("a@b.test", "a@b.test " + "x" * 100_000)) == MAX_WORDS
    parts = [Part("text/html", "", b"<p>"), Part("text/plain", "", b"y\r\n" * MAX_READ_OCTETS)]
    text = text_for_people(parts)
    assert len(text) < MAX_READ_OCTETS
    assert text.startswith("y\ny\n")
    assert text_for_people([]) == ""


@pytest.mark.parametrize(
    "piece", ["a@b.test\n", "To: a@b.test ", "- ", "\n \n", "> a@b.test -", " "]
)
def test_hostile_text_costs_little(piece: str) -> None:
    began = time.process_time()
    words_about("a@b.test", piece * 2_000)
    words_about(piece, piece * 2_000)
    assert time.process_time() - began < 0.5


@given(st.text(max_size=20), st.text(max_size=200))
def test_nothing_makes_it_raise(address: str, text: str) -> None:
    words_about(address, text)
    words_about(address, f"{text}{address}{text}\n{text}")
