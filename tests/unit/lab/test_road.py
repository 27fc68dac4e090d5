"""When the lab says that a message came through, and when not."""

import pytest

from postroad.lab.letters import compose, is_for
from postroad.lab.road import _added, _problem
from postroad.lab.world import Sent

DATA = b"From: a@x.test\r\nSubject: s\r\n\r\nbody\r\n"
TRACE = b"Return-Path: <a@x.test>\r\nReceived: by b\r\nReceived: from a\r\n\tby b\r\n"


def sent() -> Sent:
    return Sent.of("38GBPBP7WFMCH", [], DATA)


def test_trace_fields_in_front_are_right() -> None:
    assert _problem(sent(), [TRACE + DATA]) == ""
    assert _added(sent(), TRACE + DATA) == ("Return-Path", "Received", "Received")


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([], "0 messages"),
        ([TRACE + DATA, TRACE + DATA], "2 messages"),
        ([TRACE + DATA + b"\r\n"], "do not end with"),
        ([TRACE + DATA.replace(b"body", b"Body")], "do not end with"),
        ([TRACE + b"X-Spam: no\r\n" + DATA], "X-Spam"),
        ([TRACE + b"\r\n" + DATA], "blank line"),
        ([DATA], "no Received"),
        ([b""], "do not end with"),
    ],
)
def test_everything_else_is_a_problem(messages: list[bytes], problem: str) -> None:
    assert problem in _problem(sent(), messages)


def test_letters_have_what_a_message_needs_and_keep_their_dots() -> None:
    data = compose("a@x.test", ["b@y.test"], "Grüße", ".\n..\nGrüße\n")

    header, _, body = data.partition(b"\r\n\r\n")
    assert body == ".\r\n..\r\nGrüße\r\n".encode()
    for name in (b"From: ", b"To: ", b"Subject: ", b"Date: ", b"Message-ID: <"):
        assert name in header
    assert header.isascii()
    assert is_for(data, "B@Y.test")
    assert not is_for(data, "body@y.test")
