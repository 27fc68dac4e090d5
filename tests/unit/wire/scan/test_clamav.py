import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.scan import ClamavAnswer, ScanFailed, instream, read_clamav


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_what_is_sent_is_the_message(pieces: list[bytes]) -> None:
    sent = b"".join(instream(pieces))
    assert sent.startswith(b"zINSTREAM\0")
    at, body = 10, b""
    while length := struct.unpack_from("!I", sent, at)[0]:
        body += sent[at + 4 : at + 4 + length]
        at += 4 + length
    assert (body, at + 4) == (b"".join(pieces), len(sent))


def test_large_pieces_are_cut() -> None:
    parts = list(instream([b"x" * 200_000]))
    assert max(map(len, parts)) <= 64 * 1024 + 4


def test_answers() -> None:
    assert read_clamav(b"stream: OK\0") == ClamavAnswer("")
    assert read_clamav(b"stream: Eicar-Test FOUND\0") == ClamavAnswer("Eicar-Test")


@pytest.mark.parametrize(
    "answer",
    [b"", b"INSTREAM size limit exceeded. ERROR\0", b"stream: OKAY\0", b"x: OK", b"\xff\0"],
)
def test_answers_that_are_none(answer: bytes) -> None:
    with pytest.raises(ScanFailed):
        read_clamav(answer)
