from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.smtp.framing import (
    MAX_DISCARD_OCTETS,
    BareLineBreak,
    ChunkReader,
    DotReader,
    DotWriter,
    LineBreakGuard,
    LineBuffer,
    LineEndless,
    LineTooLong,
    PlainWriter,
    has_bare_line_break,
)

LINE = st.one_of(
    st.binary(max_size=12).map(lambda data: data.replace(b"\r", b"").replace(b"\n", b"")),
    st.sampled_from([b"", b".", b"..", b"...", b".x", b"x."]),
)
BODY = st.lists(LINE, max_size=8).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
# all that can go wrong around the end of data
NASTY = st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"x", b"\0"]), max_size=14).map(
    b"".join
)


def cuts(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(edges)]


class TestLineBuffer:
    def test_lines_keep_their_ends(self) -> None:
        buffer = LineBuffer(80)
        buffer.append(b"one\r\ntwo\nthr")
        assert buffer.take_line() == b"one\r\n"
        assert buffer.take_line() == b"two\n"
        assert buffer.take_line() is None
        assert len(buffer) == 3
        buffer.append(b"ee\r\nrest")
        assert buffer.take_line() == b"three\r\n"
        assert buffer.take_all() == b"rest"
        assert len(buffer) == 0

    def test_take_by_number(self) -> None:
        buffer = LineBuffer(80)
        buffer.append(b"12345678")
        assert buffer.take(3) == b"123"
        assert buffer.take_all() == b"45678"
        assert buffer.take(3) == b""

    def test_longer_lines_for_one_word(self) -> None:
        buffer = LineBuffer(8, word=b"AUTH ", word_limit=16)
        buffer.append(b"auth 12345678\n12345678\n")
        assert buffer.take_line() == b"auth 12345678\n"
        with pytest.raises(LineTooLong):
            buffer.take_line()
        buffer.append(b"AuTh 12345678")
        assert buffer.take_line() is None
        buffer.append(b"9012")
        assert buffer.take_line() is None
        assert len(buffer) == 0
        buffer.append(b"\n12345678\n")
        with pytest.raises(LineTooLong):
            buffer.take_line()
        assert buffer.take_line(long=True) == b"12345678\n"

    def test_long_line_is_dropped_as_it_comes_and_told_once(self) -> None:
        buffer = LineBuffer(512)
        for _ in range(60):
            buffer.append(b"x" * 1000)
            assert buffer.take_line() is None
            assert len(buffer) <= 512
        buffer.append(b"\r\nNOOP\r\n")
        with pytest.raises(LineTooLong):
            buffer.take_line()
        assert buffer.take_line() == b"NOOP\r\n"

    def test_so_much_is_dropped_and_no_more(self) -> None:
        buffer = LineBuffer(512)
        buffer.append(b"x" * MAX_DISCARD_OCTETS)
        assert buffer.take_line() is None
        assert buffer.discarding
        buffer.append(b"\n")
        with pytest.raises(LineEndless):
            buffer.take_line()

    def test_long_line_in_one_piece(self) -> None:
        buffer = LineBuffer(512)
        buffer.append(b"x" * 600 + b"\r\nNOOP\r\n")
        with pytest.raises(LineTooLong):
            buffer.take_line()
        assert buffer.take_line() == b"NOOP\r\n"

    def test_limit_counts_the_line_end(self) -> None:
        buffer = LineBuffer(512)
        buffer.append(b"x" * 510 + b"\r\n")
        assert buffer.take_line() is not None

    @given(st.lists(LINE, max_size=6), st.lists(st.integers(0, 200), max_size=6))
    def test_any_split_gives_the_same_lines(self, lines: list[bytes], places: list[int]) -> None:
        data = b"".join(line + b"\r\n" for line in lines)
        buffer = LineBuffer(80)
        found = []
        for piece in cuts(data, places):
            buffer.append(piece)
            while (line := buffer.take_line()) is not None:
                found.append(line)
        assert found == [line + b"\r\n" for line in lines]


def read(pieces: list[bytes]) -> tuple[bytes, bytes | None]:
    reader = DotReader()
    body = []
    rest = None
    for piece in pieces:
        if reader.rest is None:
            body.append(reader.feed(piece))
            rest = reader.rest
        else:
            assert rest is not None
            rest += piece
    return b"".join(body), rest


class TestDots:
    @pytest.mark.parametrize(
        ("wire", "body"),
        [
            (b".\r\n", b""),
            (b"\r\n.\r\n", b"\r\n"),
            (b"a\r\n.\r\n", b"a\r\n"),
            (b"..\r\n.\r\n", b".\r\n"),
            (b".a\r\n.\r\n", b"a\r\n"),
            (b"a\r\n..b\r\n...\r\n.\r\n", b"a\r\n.b\r\n..\r\n"),
            (b"a.\r\n.\r\n", b"a.\r\n"),
            (b"\r\n\r\n..\r\n\r\n.\r\n", b"\r\n\r\n.\r\n\r\n"),
        ],
    )
    def test_known_answers(self, wire: bytes, body: bytes) -> None:
        for place in range(len(wire) + 1):
            assert read([wire[:place], wire[place:], b"NOOP\r\n"]) == (body, b"NOOP\r\n")

    @given(
        BODY, st.lists(st.integers(0, 400), max_size=8), st.lists(st.integers(0, 400), max_size=8)
    )
    def test_read_of_written_is_identity(
        self, body: bytes, places: list[int], others: list[int]
    ) -> None:
        writer = DotWriter()
        wire = b"".join(writer.feed(piece) for piece in cuts(body, places)) + writer.finish()
        assert read(cuts(wire + b"QUIT\r\n", others)) == (body, b"QUIT\r\n")

    @given(BODY, st.lists(st.integers(0, 400), max_size=8))
    def test_pieces_end_outside_a_line_break(self, body: bytes, places: list[int]) -> None:
        wire = body.replace(b"\r\n.", b"\r\n..")
        reader = DotReader()
        for piece in cuts(b"x" + wire + b".\r\n", places):
            assert not has_bare_line_break(reader.feed(piece))

    @given(NASTY, st.lists(st.integers(0, 30), max_size=5))
    def test_any_split_of_anything_is_read_alike(self, wire: bytes, places: list[int]) -> None:
        data = wire + b"\r\n.\r\nNOOP\r\n"
        assert read(cuts(data, places)) == read([data])

    @given(NASTY)
    def test_only_the_true_end_ends(self, wire: bytes) -> None:
        body, rest = read([wire])
        at = (b"\r\n" + wire).find(b"\r\n.\r\n")
        assert (rest is None) == (at < 0)
        if rest is not None:
            assert rest == wire[at + 3 :]
            assert body == (b"\r\n" + wire)[: at + 2].replace(b"\r\n.", b"\r\n")[2:]

    def test_writer_adds_a_line_end_only_where_none_is(self) -> None:
        for body, end in ((b"", b".\r\n"), (b"a", b"\r\n.\r\n"), (b"a\r\n", b".\r\n")):
            writer = DotWriter()
            writer.feed(body)
            assert writer.finish() == end

    @given(st.lists(LINE, max_size=8), st.lists(st.integers(0, 400), max_size=8))
    def test_a_plain_body_is_written_as_any_other(
        self, lines: list[bytes], places: list[int]
    ) -> None:
        pieces = cuts(b"\r\n".join(line.lstrip(b".") for line in lines), places)
        dots, plain = DotWriter(), PlainWriter()
        expected = b"".join(dots.feed(piece) for piece in pieces) + dots.finish()
        assert b"".join(plain.feed(piece) for piece in pieces) + plain.finish() == expected

    @given(st.one_of(BODY, NASTY), st.lists(st.integers(0, 400), max_size=8))
    def test_dotless_is_said_of_no_body_with_a_dot_at_the_start_of_a_line(
        self, wire: bytes, places: list[int]
    ) -> None:
        reader = DotReader()
        body = b""
        for piece in cuts(wire + b"\r\n.\r\n", places):
            body += reader.feed(piece)
            if reader.rest is not None:
                break  # what follows is no body
        if reader.dotless:
            assert b"\r\n." not in b"\r\n" + body

    @pytest.mark.parametrize("place", range(10))
    def test_dotless_bodies_are_known_as_such(self, place: int) -> None:
        reader = DotReader()
        wire = b"a.\r\nb.c\r\n.\r\n"
        reader.feed(wire[:place])
        reader.feed(wire[place:])
        assert reader.dotless

    @pytest.mark.parametrize("body", [b"a\nb", b"a\rb", b"\n", b"a\r\r\n", b"a\n\r\n", b"a\r"])
    def test_bare_line_breaks_never_leave(self, body: bytes) -> None:
        for place in range(len(body) + 1):
            writer = DotWriter()
            with pytest.raises(BareLineBreak):  # noqa: PT012 - which of the calls raises depends
                writer.feed(body[:place])
                writer.feed(body[place:])
                writer.finish()


class TestChunks:
    def test_line_break_across_chunks_is_none_within_a_piece(self) -> None:
        reader = ChunkReader()
        reader.begin(2)
        assert reader.feed(b"a\r") == b"a"
        assert reader.remaining == 0
        reader.begin(3)
        assert reader.feed(b"\nb\r") == b"\r\nb"
        assert reader.finish() == b"\r"
        assert reader.finish() == b""

    def test_guard(self) -> None:
        guard = LineBreakGuard()
        assert guard.at_line_start
        assert guard.feed(b"a\r") + guard.feed(b"\nb") == b"a\r\nb"
        assert not guard.at_line_start
        guard.finish()


@pytest.mark.parametrize("data", [b"\r", b"\n", b"a\r\r\n", b"\n\r", b"\r\n\n", b"a\rb\nc"])
def test_bare_line_break_is_seen(data: bytes) -> None:
    assert has_bare_line_break(data)


@pytest.mark.parametrize("data", [b"", b"a", b"\r\n", b"\r\n\r\n", b"a\r\nb"])
def test_line_breaks_are_none(data: bytes) -> None:
    assert not has_bare_line_break(data)
