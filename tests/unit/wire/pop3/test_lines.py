import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.pop3.lines import MAX_DISCARD_OCTETS, LineEndless, LineReader, LineTooLong


def outcomes(reader: LineReader, limit: int) -> list[bytes | str]:
    seen: list[bytes | str] = []
    while True:
        try:
            line = reader.take(limit)
        except LineTooLong:
            seen.append("too long")
            continue
        if line is None:
            return seen
        seen.append(line)


@given(st.lists(st.integers(0, 14), max_size=8), st.data())
def test_any_split_gives_the_same_lines(lengths: list[int], data: st.DataObject) -> None:
    stream = b"".join(b"x" * length + b"\r\n" for length in lengths)
    cut = data.draw(st.integers(0, len(stream)))
    reader = LineReader()
    seen: list[bytes | str] = []
    for piece in (stream[:cut], stream[cut:]):
        reader.append(piece)
        seen += outcomes(reader, 10)
    assert seen == [b"x" * n + b"\r\n" if n <= 8 else "too long" for n in lengths]
    assert len(reader) == 0


WORDS = {b"RETR": 1, b"UTF8": 2}
COMMANDS: list[tuple[bytes, tuple[int, bytes] | None]] = [
    (b"RETR 12\r\n", (1, b"12")),
    (b"RETR\r\n", (1, b"")),
    (b"RETR \r\n", (1, b"")),
    (b"RETR  1 2 \xc3\xa4 \r\n", (1, b" 1 2 \xc3\xa4 ")),
    (b"UTF8\r\n", (2, b"")),
    (b"RETR " + b"1" * 57 + b"\r\n", (1, b"1" * 57)),
    (b"RETR " + b"1" * 58 + b"\r\n", None),  # of more than 64 octets
    (b"RETR 1\n", None),
    (b"RETR 1\r2\r\n", None),
    (b"RETR 1\t2\r\n", None),
    (b"RETR 1\x7f\r\n", None),
    (b"RETR\t1\r\n", None),
    (b"retr 1\r\n", None),
    (b"RETRY 1\r\n", None),
    (b" RETR 1\r\n", None),
    (b"STAT\r\n", None),
    (b"\r\n", None),
]


@pytest.mark.parametrize(("line", "command"), COMMANDS)
def test_well_formed_commands_are_taken_and_others_left(
    line: bytes, command: tuple[int, bytes] | None
) -> None:
    for cut in range(1, len(line) + 1):
        reader = LineReader()
        reader.append(line[:cut])
        if cut < len(line):
            assert reader.take_command(WORDS, 64) is None
            reader.append(line[cut:])
        reader.append(b"QUIT\r\n")
        assert reader.take_command(WORDS, 64) == command
        assert len(reader) == len(b"QUIT\r\n") + (0 if command else len(line))
        if command is None and len(line) <= 64:
            assert reader.take(64) == line


def test_the_rest_of_a_line_that_is_dropped_is_no_command() -> None:
    reader = LineReader()
    reader.append(b"x" * 300)
    with pytest.raises(LineTooLong):
        reader.take(255)
    assert reader.take(255) is None
    reader.append(b"RETR 1\r\nRETR 2\r\nRETR 3\r\n")
    assert reader.take_command(WORDS, 255) is None
    assert reader.take(255) == b"RETR 2\r\n"
    assert reader.take_command(WORDS, 255) == (1, b"3")


def test_nothing_is_kept_of_what_was_consumed() -> None:
    reader = LineReader()
    assert reader.empty
    for taken in (lambda: reader.take_command(WORDS, 255), lambda: reader.take(255)):
        reader.append(b"RETR 1\r\n" * 5000)
        for _ in range(5000):
            assert not reader.empty
            assert taken()
        assert reader.empty
        assert (reader._data, len(reader)) == (b"", 0)


def test_many_small_pieces_behind_a_rest_cost_no_copies_of_it() -> None:
    reader = LineReader()
    reader.append(b"STAT\r\n" * 40_000)
    began = time.process_time()
    for _ in range(40_000):
        reader.append(b"x")
    assert time.process_time() - began < 0.5
    assert len(reader) == 40_000 * 7
    assert reader.take(255) == b"STAT\r\n"


def test_an_endless_line_is_dropped_as_it_comes_and_then_given_up() -> None:
    reader = LineReader()
    reader.append(b"x" * 300)
    with pytest.raises(LineTooLong):
        reader.take(255)
    for _ in range(MAX_DISCARD_OCTETS // 1024 - 1):
        reader.append(b"x" * 1024)
        assert reader.take(255) is None
        assert len(reader) == 0
    reader.append(b"x" * 1024)
    with pytest.raises(LineEndless):
        reader.take(255)


def test_clear_forgets_a_line_that_is_being_dropped() -> None:
    reader = LineReader()
    reader.append(b"x" * 300)
    with pytest.raises(LineTooLong):
        reader.take(255)
    reader.clear()
    reader.append(b"NOOP\r\n")
    assert reader.take(255) == b"NOOP\r\n"
