import pytest

from postroad.model import Reply
from postroad.wire.smtp import DataAborted, DataChunk
from postroad.wire.smtp.framing import LineBuffer
from postroad.wire.smtp.intake import TOO_BIG, ChunkIntake, DataIntake


def buffer_of(data: bytes) -> LineBuffer:
    buffer = LineBuffer(80)
    buffer.append(data)
    return buffer


def test_data_leaves_what_came_behind_it() -> None:
    intake = DataIntake(100)
    buffer = buffer_of(b"a\r\n..b\r\n.\r\nQUIT\r\n")
    assert intake.take(buffer) == DataChunk(b"a\r\n.b\r\n")
    assert (intake.complete, intake.octets, intake.refusal) == (True, 7, None)
    assert buffer.take_all() == b"QUIT\r\n"


@pytest.mark.parametrize(
    ("body", "enhanced"),
    [(b"a\nb", "5.6.11"), (b"a\rb", "5.6.11"), (b"a\0b", "5.6.0"), (b"x" * 101, "5.3.4")],
)
def test_refusal_is_told_once_and_the_rest_is_read(body: bytes, enhanced: str) -> None:
    intake = DataIntake(100)
    event = intake.take(buffer_of(body + b"\r\n"))
    assert isinstance(event, DataAborted)
    assert event.reply.enhanced == enhanced
    assert intake.take(buffer_of(b"more\n")) is None
    assert intake.take(buffer_of(b"\r\n.\r\n")) is None
    assert intake.complete
    assert intake.refusal == event.reply


def test_chunks() -> None:
    intake = ChunkIntake(10)
    assert intake.begin(4, last=False) is None
    assert intake.take(buffer_of(b"ab\r")) == DataChunk(b"ab")
    assert not intake.complete
    assert intake.take(buffer_of(b"\nrest")) == DataChunk(b"\r\n")
    assert intake.complete
    assert intake.received == Reply(250, "2.0.0", "4 octets received")
    assert intake.begin(7, last=True) == DataAborted(TOO_BIG)


def test_line_break_cut_by_the_end() -> None:
    intake = ChunkIntake(10)
    intake.begin(2, last=True)
    assert intake.take(buffer_of(b"a\r")) == DataChunk(b"a")
    assert isinstance(intake.finish(), DataAborted)


def test_swallow() -> None:
    intake = ChunkIntake(10)
    intake.begin(4, last=True)
    no = Reply(451, "4.3.0", "no")
    intake.swallow(no)
    assert intake.take(buffer_of(b"QUIT")) is None
    assert intake.finish() is None
    assert intake.refusal == no
