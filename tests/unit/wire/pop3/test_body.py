from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.pop3.body import DotStuffer, TopCutter, stuff

# Small alphabets find the corners of framing; whole octets find nothing here.
BODIES = st.text(alphabet=".\r\nab", max_size=60).map(str.encode)
LINES = st.lists(st.text(alphabet=".ab", max_size=3), max_size=80).map(
    lambda lines: "".join(f"{line}\r\n" for line in lines).encode()
)
CUTS = st.lists(st.integers(0, 60), max_size=6)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def unstuff(sent: bytes) -> bytes:
    """As a client does it, line by line."""
    assert sent.endswith(b".\r\n")
    lines = sent.split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    assert b"." not in lines[:-2], "the end came early"
    return b"".join((line[1:] if line.startswith(b".") else line) + b"\r\n" for line in lines[:-2])


@given(BODIES, CUTS)
def test_a_client_gets_back_what_was_stored_however_it_was_cut(
    body: bytes, cuts: list[int]
) -> None:
    stuffer = DotStuffer()
    sent = b"".join(stuffer.feed(piece) for piece in pieces(body, cuts)) + stuffer.finish()
    stored = body if body.endswith(b"\r\n") or not body else body + b"\r\n"
    assert unstuff(sent) == stored
    assert stuff(body) == sent


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (b"", b".\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r", b"a\r\r\n.\r\n"),
        (b".\r\n.\r\n", b"..\r\n..\r\n.\r\n"),
        (b"a.\r\nb\n.c\r\n", b"a.\r\nb\n.c\r\n.\r\n"),
    ],
)
def test_known_answers(message: bytes, sent: bytes) -> None:
    assert stuff(message) == sent


def top_by_lines(message: bytes, lines: int) -> bytes:
    """The same as `TopCutter`, as the RFC words it."""
    wanted, in_header = [], True
    for line in message.splitlines(keepends=True):
        if in_header:
            in_header = line != b"\r\n"
        elif lines:
            lines -= 1
        else:
            break
        wanted.append(line)
    return b"".join(wanted)


@given(LINES, LINES, st.integers(0, 90), CUTS)
def test_top_is_the_header_and_that_many_lines(
    header: bytes, body: bytes, lines: int, cuts: list[int]
) -> None:
    message = header + b"\r\n" + body
    cutter = TopCutter(lines)
    got = b""
    for piece in pieces(message, cuts):
        if cutter.finished:
            break
        got += cutter.feed(piece)
    assert got == top_by_lines(message, lines)


def test_top_of_many_lines_stops_at_the_right_one() -> None:
    body = b"".join(b"%d\r\n" % number for number in range(100_000))
    for lines in (0, 1, 32, 33, 34, 1000, 65_537, 99_999, 100_000, 2_000_000_000):
        got = TopCutter(lines).feed(b"A: b\r\n\r\n" + body)
        assert got.count(b"\r\n") == 2 + min(lines, 100_000)
        assert got.endswith(b"\r\n")
