import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model import Reply
from postroad.wire.smtp import RemoteProtocolError
from postroad.wire.smtp.replies import (
    MAX_LINE_OCTETS,
    MAX_READ_LINE_OCTETS,
    MAX_READ_LINES,
    ReplyReader,
    encode_reply,
)

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


def read(data: bytes, *, enhanced: bool = True) -> Reply | None:
    reader = ReplyReader()
    reader.feed(data)
    return reader.next_reply(enhanced=enhanced)


class TestEncode:
    def test_known_answers(self) -> None:
        assert encode_reply(Reply(250, "2.1.0", "OK")) == b"250 2.1.0 OK\r\n"
        assert encode_reply(Reply(250, "2.1.0", "OK"), enhanced=False) == b"250 OK\r\n"
        assert encode_reply(Reply(250, "", "a\nb\nc")) == b"250-a\r\n250-b\r\n250 c\r\n"
        assert encode_reply(Reply(550, "5.0.0", "a\nb")) == b"550-5.0.0 a\r\n550 5.0.0 b\r\n"

    def test_text_beyond_ascii_only_where_utf8_is_spoken(self) -> None:
        reply = Reply(550, "5.1.1", "für dich")
        assert encode_reply(reply) == b"550 5.1.1 f?r dich\r\n"
        assert encode_reply(reply, utf8=True) == "550 5.1.1 für dich\r\n".encode()

    @given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=3000))
    def test_no_line_is_too_long_and_no_word_is_lost(self, text: str) -> None:
        data = encode_reply(Reply(550, "5.123.123", text))
        lines = data.decode().split("\r\n")[:-1]
        assert max(map(len, lines)) + 2 <= MAX_LINE_OCTETS
        assert "".join(line[14:] for line in lines).replace(" ", "") == text.replace(" ", "")

    def test_long_utf8_is_cut_between_characters(self) -> None:
        data = encode_reply(Reply(550, "5.1.1", "é" * 1000), utf8=True)
        for line in data.split(b"\r\n")[:-1]:
            assert len(line) + 2 <= MAX_LINE_OCTETS
            line.decode()

    @given(st.integers(200, 599), st.lists(TEXT, min_size=1, max_size=4))
    def test_read_of_written_is_identity(self, code: int, lines: list[str]) -> None:
        enhanced = f"{code // 100}.1.2" if code // 100 != 3 else ""
        reply = Reply(code, enhanced, "\n".join(lines))
        assert read(encode_reply(reply), enhanced=bool(enhanced)) == reply


class TestRead:
    @pytest.mark.parametrize(
        ("data", "reply"),
        [
            (b"250 2.1.0 OK\r\n", Reply(250, "2.1.0", "OK")),
            (b"250 2.1.0\r\n", Reply(250, "2.1.0", "")),
            (b"250 OK\r\n", Reply(250, "", "OK")),
            (b"250\r\n", Reply(250, "", "")),
            (b"250 \r\n", Reply(250, "", "")),
            (b"250-a\r\n250\r\n", Reply(250, "", "a\n")),
            (b"550-5.1.1 a\r\n550 5.1.1 b\r\n", Reply(550, "5.1.1", "a\nb")),
            (b"550-5.1.1 a\r\n550 b\r\n", Reply(550, "5.1.1", "a\nb")),
            (b"450 5.1.1 no\r\n", Reply(450, "", "5.1.1 no")),
            (b"250 2.1.10000 x\r\n", Reply(250, "", "2.1.10000 x")),
            (b"250 2.1.0x\r\n", Reply(250, "", "2.1.0x")),
            (b"550 a\x00b\x07\tc\r\n", Reply(550, "", "a?b??c")),
            (b"550 a\xff\r\n", Reply(550, "", "a\ufffd")),
            (b"550 a\rb\r\n", Reply(550, "", "a?b")),
        ],
    )
    def test_known_answers(self, data: bytes, reply: Reply) -> None:
        assert read(data) == reply
        reader = ReplyReader()
        for index in range(len(data) - 1):
            reader.feed(data[index : index + 1])
            assert reader.next_reply() is None
        reader.feed(data[-1:])
        assert reader.next_reply() == reply

    def test_enhanced_code_stays_in_text_of_a_hello(self) -> None:
        assert read(b"250 2.0.0 host\r\n", enhanced=False) == Reply(250, "", "2.0.0 host")

    @pytest.mark.parametrize(
        "data",
        [
            b"hello\r\n",
            b"\r\n",
            b"25 x\r\n",
            b"150 x\r\n",
            b"600 x\r\n",
            b"250_x\r\n",
            b"2500\r\n",
            b"250-a\r\n251 b\r\n",
            b"250 OK\n",
            b"+OK\r\n",
            b"\xff\xfb\x01\r\n",
        ],
    )
    def test_what_is_no_reply(self, data: bytes) -> None:
        with pytest.raises(RemoteProtocolError):
            read(data)

    def test_a_line_feed_in_text_makes_no_second_reply(self) -> None:
        reader = ReplyReader()
        reader.feed(b"550 no user a\n250 OK\r\n")
        with pytest.raises(RemoteProtocolError):
            reader.next_reply()

    def test_line_too_long(self) -> None:
        with pytest.raises(RemoteProtocolError):
            read(b"250 " + b"x" * MAX_READ_LINE_OCTETS + b"\r\n")

    def test_the_end_of_a_line_too_long_is_not_awaited(self) -> None:
        reader = ReplyReader()
        reader.feed(b"220 " + b"x" * (MAX_READ_LINE_OCTETS - 4))
        assert reader.next_reply() is None
        reader.feed(b"x")
        with pytest.raises(RemoteProtocolError):
            reader.next_reply()

    def test_too_many_lines(self) -> None:
        with pytest.raises(RemoteProtocolError):
            read(b"250-x\r\n" * (MAX_READ_LINES + 1))
