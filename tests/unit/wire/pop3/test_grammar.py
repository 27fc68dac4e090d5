import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.pop3 import grammar
from postroad.wire.pop3.grammar import CommandError


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
