"""Requests: read, and refused where they are none."""

import pytest

from postroad.wire.http import (
    HttpBroken,
    RequestReader,
    ResponseReader,
    get_request,
    write_response,
)


def test_what_we_ask_we_understand() -> None:
    data = get_request("mta-sts.us.test", "/.well-known/mta-sts.txt", "text/plain")
    for cut in range(1, len(data)):
        reader = RequestReader()
        assert reader.feed(data[:cut]) is None
        request = reader.feed(data[cut:])
        assert request is not None
        assert (request.method, request.target) == ("GET", "/.well-known/mta-sts.txt")
        assert request.host == "mta-sts.us.test"


def test_the_host_is_without_port() -> None:
    request = RequestReader().feed(b"GET / HTTP/1.1\r\nHost: A.Test.:8443\r\n\r\n")
    assert request is not None
    assert request.host == "a.test"


@pytest.mark.parametrize(
    "data",
    [
        b"EHLO x\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/3\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"G" * 20_000,
    ],
)
def test_what_is_no_request(data: bytes) -> None:
    with pytest.raises(HttpBroken):
        RequestReader().feed(data)


def test_what_we_answer_we_understand() -> None:
    response = ResponseReader(100).feed(write_response(200, "OK", b"hello", "text/plain"))
    assert response is not None
    assert (response.status, response.body) == (200, b"hello")
    assert write_response(404, "Not Found", b"x", "text/plain", head_only=True).endswith(
        b"\r\n\r\n"
    )
