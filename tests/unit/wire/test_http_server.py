"""HTTP, as far as it is needed: one question, one answer, the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.http_server import HEAD_SECONDS, MAX_HEAD_OCTETS, HttpServer, Request, Status

GET = b"GET /.well-known/x?a=b HTTP/1.1\r\nHost: here.test\r\n\r\n"


def served(data: bytes, size: int = 1 << 20) -> tuple[HttpServer, Request | None]:
    machine = HttpServer(0.0)
    event = None
    for start in range(0, len(data), size):
        machine.receive_data(data[start : start + size], 0.0)
        event = event or machine.next_event()
    return machine, event


@given(st.integers(1, len(GET)))
def test_a_request_at_any_split(size: int) -> None:
    machine, event = served(GET, size)
    assert event == Request("/.well-known/x")
    assert not machine.closing
    machine.answer(Status.OK, b"yes")
    head, _, body = machine.bytes_to_send().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Length: 3\r\n" in head
    assert head.endswith(b"\r\nConnection: close")
    assert body == b"yes"
    assert machine.closing
    assert machine.bytes_to_send() == b""


def test_head_has_the_length_and_no_body() -> None:
    machine, event = served(b"HEAD / HTTP/1.0\r\n\r\n")
    assert event == Request("/")
    machine.answer(Status.OK, b"yes")
    sent = machine.bytes_to_send()
    assert b"Content-Length: 3\r\n" in sent
    assert sent.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"405"),
        (b"GET http://here.test HTTP/1.1\r\n\r\n", b"400"),
        (b"GET x HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\n\r\n", b"400"),
        (b"GET /\x00 HTTP/1.1\r\n\r\n", b"400"),
        (b"EHLO here.test\r\n\r\n", b"400"),
        (b"\x16\x03\x01\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 4000 + b" HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 2000, b"431"),
        (b"a" * 100_000, b"431"),
    ],
)
def test_what_is_no_request(data: bytes, status: bytes) -> None:
    machine, event = served(data, 1000)
    assert event is None
    assert machine.closing
    assert machine.bytes_to_send().split(b" ")[1] == status


def test_an_absolute_target() -> None:
    assert served(b"GET http://here.test/x HTTP/1.1\n\n")[1] == Request("/x")


def test_memory_is_bounded() -> None:
    machine = HttpServer(0.0)
    for _ in range(100):
        machine.receive_data(b"a" * 65536, 0.0)
    assert machine.buffered <= MAX_HEAD_OCTETS + 1


def test_who_dawdles_or_goes() -> None:
    machine = HttpServer(5.0)
    assert machine.deadline() == 5.0 + HEAD_SECONDS
    machine.time_out(99.0)
    assert b"408" in machine.bytes_to_send()
    assert machine.closing

    machine = HttpServer(0.0)
    machine.receive_eof()
    assert machine.closing
    assert machine.bytes_to_send() == b""

    machine = HttpServer(0.0)
    machine.shut_down()
    assert b"503" in machine.bytes_to_send()

    machine, _ = served(GET)
    machine.receive_eof()  # it may have shut its side down, and still wants the answer
    assert not machine.closing
    machine.time_out(99.0)  # the handler failed
    assert b"500" in machine.bytes_to_send()
