"""Heads of HTTP messages."""

import pytest

from postroad.wire.http.head import HttpBroken, take_head


def test_the_head_is_taken_and_the_rest_stays() -> None:
    buffer = bytearray(b"GET / HTTP/1.1\r\nA: 1\r\nB:\t2 \r\n\r\nrest")
    assert take_head(buffer) == ("GET / HTTP/1.1", {"a": "1", "b": "2"})
    assert buffer == b"rest"


def test_folded_fields_are_refused() -> None:
    with pytest.raises(HttpBroken):
        take_head(bytearray(b"GET / HTTP/1.1\r\nA: 1\r\n 2\r\n\r\n"))
