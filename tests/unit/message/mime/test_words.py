"""Encoded words and octets in header fields."""

from email.header import Header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.mime.words import decode_words, text_of
from tests.unit.message.mime.work import grows


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b" plain\r\n", "plain"),
        (b" folded\r\n  twice\r\n\tso\r\n", "folded  twice\tso"),
        (b"=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <k@x>", "Keld Jørn Simonsen <k@x>"),
        (b"=?utf-8?B?w6k=?= =?utf-8?q?=C3=A9?=", "éé"),
        (b"=?utf-8?B?w6k=?=\r\n =?utf-8?B?w6k=?=\r\n", "éé"),
        (b"=?utf-8?B?w6k=?= and =?utf-8?B?w6k=?=", "é and é"),
        (b"=?utf-8?B?w6k=?= =?iso-8859-1?q?=E9?=", "éé"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),  # a letter in two halves
        (b"=?utf-8*de?q?x?=", "x"),
        (b"=?utf-8?q?two words?=", "two words"),
        (b"x=?utf-8?q?y?=z", "xyz"),
        (b"=?utf-8?x?y?=", "=?utf-8?x?y?="),
        (b"=?utf-8?q?y", "=?utf-8?q?y"),
        (b"=?none?q?=E9?=", "é"),
        ("Frösche".encode(), "Frösche"),
        (b"Fr\xf6sche", "Frösche"),
        (b"", ""),
    ],
)
def test_reading(raw: bytes, text: str) -> None:
    assert text_of(raw) == text


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=80)
)
def test_what_python_writes(text: str) -> None:
    written = Header(text, "utf-8").encode(linesep="\r\n")
    assert text_of(written.encode()) == text


@given(st.text(alphabet="=?qB_ aé*\r\n", max_size=60))
def test_nothing_raises(text: str) -> None:
    decode_words(text)


def test_work_grows_as_the_value_does() -> None:
    for piece in (b"=?", b"=?utf-8?q?x?= ", b"=?a?q?", b"=?utf-8?q?=E9?=x"):
        assert grows(lambda n, each=piece: each * n, text_of, 1000) < 4 * 1.2  # type: ignore[misc]
