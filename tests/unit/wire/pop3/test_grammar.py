import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.pop3 import grammar
from postroad.wire.pop3.grammar import CommandError

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)


@given(NAMES, NAMES, NAMES | st.just(""))
def test_plain_is_read_as_it_was_written(user: str, password: str, acting_as: str) -> None:
    encoded = base64.b64encode(f"{acting_as}\0{user}\0{password}".encode())
    assert grammar.parse_plain(encoded) == (acting_as, user, password)


@pytest.mark.parametrize(
    "message", [b"", b"a", b"\0a", b"\0\0b", b"\0a\0", b"\0a\0b\0c", b"\0\xff\0b"]
)
def test_plain_that_is_not(message: bytes) -> None:
    with pytest.raises(CommandError):
        grammar.parse_plain(base64.b64encode(message))


@pytest.mark.parametrize("encoded", [b"AGEAYg", b"AGEAYg==\r\n", b"AGE AYg==", b"=", b"AGEAYg==x"])
def test_base_64_is_strict(encoded: bytes) -> None:
    with pytest.raises(CommandError):
        grammar.parse_plain(encoded)


@given(st.binary(max_size=40))
def test_a_line_is_parsed_or_refused(line: bytes) -> None:
    try:
        keyword, argument = grammar.parse_line(line)
    except CommandError:
        return
    assert b" " not in keyword
    assert line in (keyword + b"\r\n", keyword + b" " + argument + b"\r\n")


@pytest.mark.parametrize(
    "line",
    [b"NOOP\n", b"NOOP\r", b"RETR 1\x00\r\n", b"US\x00ER a\r\n", b"PASS a\rb\r\n", b"A\tB\r\n"],
)
def test_control_characters_and_bare_line_ends_are_refused(line: bytes) -> None:
    with pytest.raises(CommandError):
        grammar.parse_line(line)


def test_passwords_keep_their_spaces() -> None:
    assert grammar.text(b" open  sesame ") == " open  sesame "
    with pytest.raises(CommandError):
        grammar.text(b"caf\xe9")
    assert grammar.text("café".encode()) == "café"


@pytest.mark.parametrize(
    "argument", [b"", b"x", b"+1", b"1 2", b"-1", "²".encode(), b"12345678901"]
)
def test_numbers(argument: bytes) -> None:
    with pytest.raises(CommandError):
        grammar.number(argument)
