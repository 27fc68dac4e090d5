"""Charsets."""

import encodings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.mime.charsets import codec_of, decode


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("", b"plain", "plain"),
        ("", "Frösche".encode(), "Frösche"),
        ("", b"Fr\xf6sche \x93x\x94 \x81", "Frösche “x” \x81"),
        ("us-ascii", b"Fr\xf6sche", "Frösche"),
        ("ISO-8859-1", b"\x80", "€"),
        ("iso-8859-15", b"\xa4", "€"),
        ("KOI8-R", b"\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"),
        ("gb2312", "中文".encode("gb18030"), "中文"),
        ("ks_c_5601-1987", "한국".encode("cp949"), "한국"),
        ("iso-2022-jp", "日本".encode("iso2022_jp"), "日本"),
        ("utf-7", b"a+AOk-", "aé"),
        ("utf-16", b"\xff\xfea\x00", "a"),
        ("utf-8", b"a\xff", "a\ufffd"),
        ("no-such-charset", b"\xe9", "é"),
        ("x" * 5000, b"\xe9", "é"),
    ],
)
def test_decoding(charset: str, data: bytes, text: str) -> None:
    assert decode(data, charset) == text


@pytest.mark.parametrize(
    "name", ["hex", "rot13", "zlib", "idna", "punycode", "unicode_escape", "undefined", "mbcs", ""]
)
def test_what_is_no_charset(name: str) -> None:
    assert codec_of(name) is None


def test_names_that_were_asked_for_are_not_remembered() -> None:
    before = len(encodings._cache)
    for number in range(50):
        decode(b"x", f"made-up-{number}")
    assert len(encodings._cache) <= before + 1


@given(st.binary(max_size=60), st.text(max_size=20) | st.sampled_from(["utf-16", "utf-7", "hz"]))
def test_nothing_raises(data: bytes, charset: str) -> None:
    decode(data, charset)
