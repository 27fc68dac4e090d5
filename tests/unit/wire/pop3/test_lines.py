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
