"""Taking apart what programs hand to sendmail."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.cli.mailtext import addresses, read_letter


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a@b.test", ["a@b.test"]),
        ("a@b.test, c@d.test", ["a@b.test", "c@d.test"]),
        ('"Doe, Jo" <jo@b.test>', ["jo@b.test"]),
        ('"a@evil.test" <jo@b.test>', ["jo@b.test"]),
        ("jo@b.test (a comment, with <x@y.test>)", ["jo@b.test"]),
        ("(nested (comment)) jo@b.test", ["jo@b.test"]),
        ("friends: a@b.test, Jo <c@d.test>;, e@f.test", ["a@b.test", "c@d.test", "e@f.test"]),
        ("undisclosed-recipients:;", []),
        ('"quo\\"ted"@b.test', ['"quo\\"ted"@b.test']),
        ('"a,b"@c.test', ['"a,b"@c.test']),
        ("", []),
        (",,", []),
        ("root", ["root"]),
        ("<a@b.test", ["a@b.test"]),
        ("=?utf-8?q?J=C3=B6?= <jo@b.test>", ["jo@b.test"]),
    ],
)
def test_addresses(value: str, found: list[str]) -> None:
    assert list(addresses(value)) == found


@given(st.text(alphabet='a@,;:<>()"\\ '))
def test_any_text_has_some_addresses_or_none(value: str) -> None:
    for address in addresses(value):
        assert address


@pytest.mark.parametrize("evil", ['"' * 100_000, "(" * 100_000, "<" * 100_000, "\\" * 100_001])
def test_hostile_lists_take_linear_time(evil: str) -> None:
    began = time.monotonic()
    list(addresses(evil))
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("given_", "sent"),
    [
        (b"A: b\n\nbody\n", b"A: b\r\n\r\nbody\r\n"),
        (b"A: b\r\n\r\nbody\r\n", b"A: b\r\n\r\nbody\r\n"),
        (b"A: b\n\nno end", b"A: b\r\n\r\nno end\r\n"),
        (b"A: b\nbody without a blank line\n", b"A: b\r\n\r\nbody without a blank line\r\n"),
        (b"just text\n", b"\r\njust text\r\n"),
        (b"From jo Tue Nov 24\nA: b\n\nx\n", b"A: b\r\n\r\nx\r\n"),
        (b"A: b\n folded\n\nx\n", b"A: b\r\n folded\r\n\r\nx\r\n"),
        (b"A: b\n\nbare\rcr\n", b"A: b\r\n\r\nbare\r\ncr\r\n"),
        (b"", b"\r\n"),
    ],
)
def test_line_ends_and_the_blank_line(given_: bytes, sent: bytes) -> None:
    assert read_letter(given_).to_bytes() == sent


def test_resent_fields_count_alone() -> None:
    letter = read_letter(b"To: a@x.test\nResent-To: b@x.test\nResent-Bcc: c@x.test\n\n")
    assert letter.recipients() == ["b@x.test", "c@x.test"]
