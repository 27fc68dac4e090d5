"""Responses: whole at every split, bounded, and nothing that is not whole."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.http import HttpBroken, HttpResponse, ResponseReader

BODY = b"version: STSv1\nmode: none\n"
PLAIN = (
    b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\nContent-Length: "
    + str(len(BODY)).encode()
    + b"\r\n\r\n"
    + BODY
)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"A;x=y\r\n"
    + BODY[:10]
    + b"\r\n"
    + f"{len(BODY) - 10:x}\r\n".encode()
    + BODY[10:]
    + b"\r\n0\r\nTrailer: yes\r\n\r\n"
)


def read(data: bytes, *cuts: int, most: int = 1000) -> HttpResponse | None:
    reader = ResponseReader(most)
    marks = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    found = None
    for begin, end in itertools.pairwise(marks):
        if begin < end and found is None:
            found = reader.feed(data[begin:end])
    return found


@pytest.mark.parametrize("data", [PLAIN, CHUNKED], ids=["plain", "chunked"])
def test_whole_at_every_split(data: bytes) -> None:
    for cut in range(1, len(data)):
        response = read(data, cut)
        assert response is not None
        assert (response.status, response.media_type, response.body) == (200, "text/plain", BODY)
        assert ResponseReader(1000).feed(data[:cut]) is None


@pytest.mark.parametrize("data", [PLAIN, CHUNKED], ids=["plain", "chunked"])
def test_a_response_that_is_cut_short(data: bytes) -> None:
    for cut in range(len(data)):
        reader = ResponseReader(1000)
        if cut:
            assert reader.feed(data[:cut]) is None
        with pytest.raises(HttpBroken, match="ended"):
            reader.feed(b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"220 mx.test ESMTP\r\n\r\n", "not HTTP"),
        (b"HTTP/2 200 OK\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nno field\r\n\r\n", "none"),
        (b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "none"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "without a length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "without a length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", "more than 1000"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "twice"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "coding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "without a size"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", "more than 1000"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", "where it said"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 2000, "without a size"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"x" * 5000, "trailer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 17_000, "a head of more"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 17_000 + b"\r\n\r\n", "a head of more"),
    ],
)
def test_what_is_broken(data: bytes, reason: str) -> None:
    with pytest.raises(HttpBroken, match=reason):
        read(data)


def test_many_small_chunks_are_bounded_too() -> None:
    reader = ResponseReader(1000)
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(HttpBroken, match="more than 1000"):
        reader.feed(b"1\r\nx\r\n" * 2000)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_nothing_else_is_raised(data: bytes, cut: int) -> None:
    for head in (b"", b"HTTP/1.1 200 OK\r\n", CHUNKED[:-30]):
        try:
            read(head + data, cut)
        except HttpBroken:
            continue


@pytest.mark.parametrize("status", [b"200 OK", b"404 Not Found"])
def test_without_its_body(status: bytes) -> None:
    """Whoever asks only how it went needs no length, and reads nothing more."""
    data = b"HTTP/1.1 " + status + b"\r\nContent-Length: 99999999\r\n\r\nbod"
    for cut in range(1, len(data)):
        reader = ResponseReader(10, head_only=True)
        found = reader.feed(data[:cut]) or reader.feed(data[cut:])
        assert found is not None
        assert (found.status, found.body) == (int(status[:3]), b"")
    reader = ResponseReader(10, head_only=True)
    with pytest.raises(HttpBroken, match="ended before"):
        reader.feed(b"")
