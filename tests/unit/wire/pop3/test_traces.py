from pathlib import Path

import pytest

from postroad.wire.pop3 import Commit, Login, Retrieve, StartTls, State
from tests.unit.wire.pop3.driving import PASSWORD, USER, Trace

TRACES = sorted((Path(__file__).parents[3] / "traces").glob("pop3-*.txt"))


def test_there_are_traces() -> None:
    assert len(TRACES) >= 8


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
@pytest.mark.parametrize("cut", [0, 1, 2, 3, 7])
def test_trace(path: Path, cut: int) -> None:
    trace = Trace.load(path)
    trace.play(trace.driver(), cut)


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_messages_may_come_in_pieces(path: Path) -> None:
    trace = Trace.load(path)
    for piece in (1, 2, 3, 5):
        driver = trace.driver()
        driver.piece = piece
        trace.play(driver)


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
@pytest.mark.parametrize("cut", [0, 1, 5])
def test_messages_may_be_supplied_ahead(path: Path, cut: int) -> None:
    trace = Trace.load(path)
    driver = trace.driver()
    driver.ahead = 2
    trace.play(driver, cut)


@pytest.mark.parametrize("ahead", [0, 2])
def test_every_split_of_the_stream_gives_the_same_events_and_answers(ahead: int) -> None:
    trace = Trace.load(next(path for path in TRACES if path.stem == "pop3-pipelined"))
    stream = b"".join(data for kind, data in trace.steps if kind == "C")
    whole = trace.driver()
    whole.ahead = ahead
    answers = whole.run() + whole.say(stream)
    assert whole.machine.state is State.CLOSED
    for cut in range(1, len(stream)):
        driver = trace.driver()
        driver.ahead = ahead
        assert driver.run() + driver.say(stream[:cut]) + driver.say(stream[cut:]) == answers
        assert driver.events == whole.events


def test_events_of_a_session() -> None:
    trace = Trace.load(next(path for path in TRACES if path.stem == "pop3-session"))
    driver = trace.driver()
    trace.play(driver)
    assert Login("USER", USER, PASSWORD) in driver.events
    assert [e for e in driver.events if isinstance(e, Retrieve)] == [
        Retrieve(1),
        Retrieve(0, 2),
        Retrieve(0, 0),
        Retrieve(2, 10),
    ]
    (commit,) = [e for e in driver.events if isinstance(e, Commit)]
    assert list(commit.deleted) == [2]  # the mark on 1 was taken back by RSET
    assert not any(isinstance(e, StartTls) for e in driver.events)
