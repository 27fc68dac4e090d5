import pytest

from postroad.wire.scan import HttpAnswer, RspamdAnswer, ScanFailed, checkv2, read_rspamd

BODY = (
    b'{"score":9.5,"required_score":15.0,"action":"add header","messages":{"smtp_message":"hm"},'
    b'"symbols":{"A":{"score":1.5},"B":{"score":-8.0},"C":{"score":0.0}}}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: %d\r\n\r\n" % len(BODY)


def test_the_request() -> None:
    head = checkv2([("IP", "192.0.2.1"), ("User", ""), ("Rcpt", "a"), ("Rcpt", "b")], 7, "h:1")
    assert head.startswith(b"POST /checkv2 HTTP/1.1\r\nHost: h:1\r\n")
    assert b"Content-Length: 7\r\n" in head
    assert head.endswith(b"IP: 192.0.2.1\r\nRcpt: a\r\nRcpt: b\r\n\r\n")


def test_nobody_writes_a_field_by_his_helo() -> None:
    head = checkv2([("Helo", "x\r\nPass: all\u2028y")], 0, "h:1")
    assert b"\r\nPass" not in head
    assert b"Helo: x??Pass: all?y\r\n" in head


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_in_pieces(size: int) -> None:
    answer = HttpAnswer()
    data = ANSWER + BODY
    for start in range(0, len(data), size):
        assert not answer.complete
        answer.feed(data[start : start + size])
    assert answer.complete
    assert answer.body() == BODY


def test_an_answer_that_ends_with_its_connection() -> None:
    answer = HttpAnswer()
    answer.feed(b"HTTP/1.0 200 OK\r\n\r\n" + BODY)
    assert not answer.complete
    answer.feed(b"")
    assert answer.body() == BODY


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        ANSWER + BODY[:-1],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"x" * 1_100_000,
    ],
)
def test_answers_that_are_none(data: bytes) -> None:
    answer = HttpAnswer()
    with pytest.raises(ScanFailed):
        _all(answer, data)


def _all(answer: HttpAnswer, data: bytes) -> bytes:
    answer.feed(data)
    answer.feed(b"")
    return answer.body()


def test_what_it_says() -> None:
    assert read_rspamd(BODY) == RspamdAnswer("add header", 9.5, 15.0, ("B(-8.00)", "A(1.50)"), "hm")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"score":"x","required_score":1,"action":"reject"}',
        b'{"score":1,"required_score":1,"action":"reject","symbols":[1]}',
    ],
)
def test_what_cannot_be_read(body: bytes) -> None:
    with pytest.raises(ScanFailed):
        read_rspamd(body)
