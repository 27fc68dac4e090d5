"""End-of-data confusion (CVE-2023-51764, -51765, -51766): whatever looks like the end and is not."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.smtp import DataEnd, Mail, SMTPServer
from postroad.wire.smtp.framing import DotWriter, PlainWriter
from tests.unit.wire.smtp.dialogue import Clerk, codes, config, say, serving

FAKE_ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n.\n",
    b"\n.\r",
    b"\r.\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\n\n.\n\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n.\r\0\n",
    b"\n..\r\n",
    b"\r\n..\n",
    b"\r\n.\n.\r",
]
SECOND = b"MAIL FROM:<evil@x>\r\nRCPT TO:<victim@x>\r\nDATA\r\nEvil\r\n"
START = b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"


@pytest.mark.parametrize("end", FAKE_ENDS)
def test_a_fake_end_refuses_the_message_and_starts_no_other(end: bytes) -> None:
    wire = b"Subject: x\r\n\r\nbody" + end + SECOND + b"\r\n.\r\n"
    for place in range(len(wire) + 1):
        clerk = serving()
        say(clerk, START + b"DATA\r\n")
        answer = say(clerk, wire[:place]) + say(clerk, wire[place:])
        assert [code[:3] for code in codes(answer)] == ["550"]
        assert clerk.messages == []
        assert sum(isinstance(event, Mail) for event in clerk.events) == 1
        assert codes(say(clerk, b"NOOP\r\n")) == ["250 2.0.0"]


@pytest.mark.parametrize("end", FAKE_ENDS)
def test_the_same_at_the_start_of_the_body(end: bytes) -> None:
    clerk = serving()
    say(clerk, START + b"DATA\r\n")
    answer = say(clerk, end + SECOND + b"\r\n.\r\n")
    assert len(codes(answer)) == 1
    assert sum(isinstance(event, Mail) for event in clerk.events) == 1


@pytest.mark.parametrize("end", FAKE_ENDS)
def test_the_same_in_chunks(end: bytes) -> None:
    body = b"body" + end + SECOND
    for place in range(len(body) + 1):
        clerk = serving()
        say(clerk, START)
        one, two = body[:place], body[place:]
        wire = b"BDAT %d\r\n%bBDAT %d LAST\r\n%b" % (len(one), one, len(two), two)
        replies = [code[:3] for code in codes(say(clerk, wire))]
        assert replies in (["250", "550"], ["550", "503"])
        assert clerk.messages == []
        assert sum(isinstance(event, Mail) for event in clerk.events) == 1


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"a", b"\r\n.\r\n"]), max_size=12))
def test_whatever_is_accepted_has_clean_lines(parts: list[bytes]) -> None:
    clerk = serving(max_errors=1000)
    say(clerk, START + b"DATA\r\n")
    say(clerk, b"".join(parts) + b"\r\n.\r\n")
    for message in clerk.messages:
        left = message.body.replace(b"\r\n", b"")
        assert b"\r" not in left
        assert b"\n" not in left


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"a", b"\r\n."]), max_size=12),
    st.lists(st.integers(0, 24), max_size=3).map(sorted),
)
def test_what_is_called_plain_is_sent_on_unread_as_if_it_were_read(
    parts: list[bytes], places: list[int]
) -> None:
    """The guarantee on which a bare CR or LF, or an end within a message, never leaves here."""
    wire = b"".join(parts) + b"\r\n.\r\n"
    clerk = serving(max_errors=1000)
    say(clerk, START + b"DATA\r\n")
    for start, end in pairwise([0, *places, len(wire)]):
        say(clerk, wire[start:end])
    ends = [event for event in clerk.events if isinstance(event, DataEnd)]
    for message, event in zip(clerk.messages, ends, strict=True):
        if event.plain:
            plain, dots = PlainWriter(), DotWriter()
            sent = plain.feed(message.body) + plain.finish()
            assert sent == dots.feed(message.body) + dots.finish()
            assert (b"\r\n" + sent).find(b"\r\n.\r\n") == len(sent) - 3


def stuffed(data: bytes) -> bytes:
    return b"." + data


@pytest.mark.parametrize("change", [stuffed, bytes])
def test_dotted_lines_pass(change: Callable[[bytes], bytes]) -> None:
    clerk = Clerk(SMTPServer(config(), 0.0))
    clerk.work()
    say(clerk, START + b"DATA\r\n")
    assert codes(say(clerk, b"a\r\n" + change(b".b") + b"\r\n.\r\n")) == ["250 2.0.0"]
