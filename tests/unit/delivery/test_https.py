"""Fetching one file: verified, without redirects, bounded in octets and time."""

from typing import Any

import pytest

from postroad.delivery.exchange import FetchFailed
from postroad.delivery.https import Fetcher, FetchSettings
from postroad.model import TlsFailure, TlsPolicy
from postroad.ports import AnswerStatus
from postroad.wire.http import HttpResponse, parse_https
from tests.unit.delivery.world import (
    FakeClock,
    FakeNetwork,
    FakeResolver,
    FakeServer,
    FakeStream,
    Table,
    run,
)

HOST = "mta-sts.x.test"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"


class HttpStream(FakeStream):
    """Says what the server has to say once it is asked; `pace` octets at a time, each after a second."""

    def _greet(self) -> None:
        """The client speaks first."""

    async def send(self, data: bytes, timeout: float) -> None:
        assert self.tls, "nothing may be asked in clear"
        self.server.writes.append(data)

    async def receive(self, timeout: float) -> bytes:
        assert isinstance(self.server, HttpServer)
        piece, self.server.said = (
            self.server.said[: self.server.pace],
            self.server.said[self.server.pace :],
        )
        seconds = 1.0 if self.server.pace < 1000 else 0.0
        if seconds > timeout:
            self._clock.at += timeout
            raise TimeoutError
        self._clock.at += seconds
        return piece


class HttpServer(FakeServer):
    def __init__(self, said: bytes, pace: int = 1_000_000) -> None:
        super().__init__()
        self.said = said
        self.pace = pace
        self.stream = HttpStream


def fetch(
    server: FakeServer | dict[str, FakeServer | str], dns: Table | None = None, **settings: Any
) -> bytes:
    clock = FakeClock()
    servers: dict[str, FakeServer | str] = (
        {"127.0.0.9": server} if isinstance(server, FakeServer) else server
    )
    resolver = FakeResolver({f"{HOST} A": ["127.0.0.9"]} if dns is None else dns)
    settings.setdefault("allow_private", True)
    network = FakeNetwork(servers, clock)
    fetcher = Fetcher(resolver, network, clock, FetchSettings(**settings))
    try:
        return run(fetcher.get(HOST, "/.well-known/x", "text/plain"))
    finally:
        assert all(stream.closed for stream in network.streams)
        assert all(port == settings.get("port", 443) for _, port in network.tried)


def problem(*args: Any, **settings: Any) -> str:
    with pytest.raises(FetchFailed) as failed:
        fetch(*args, **settings)
    return str(failed.value)


def test_a_file() -> None:
    server = HttpServer(GOOD)
    assert fetch(server, port=8443) == b"hello"
    assert server.handshakes == [(TlsPolicy.VERIFY, HOST)]
    assert server.writes[0].startswith(b"GET /.well-known/x HTTP/1.1\r\nHost: mta-sts.x.test\r\n")


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "404 Not Found", "500 Oops", "204 No"]
)
def test_any_other_status(status: str) -> None:
    said = f"HTTP/1.1 {status}\r\nLocation: https://evil.test/\r\nContent-Length: 0\r\n\r\n"
    assert f"HTTP status {status[:3]}" in problem(HttpServer(said.encode()))


def test_another_media_type() -> None:
    assert "media type text/html" in problem(HttpServer(GOOD.replace(b"plain", b"html")))
    assert "media type nothing" in problem(HttpServer(GOOD.replace(b"Content-Type", b"X")))


def test_a_certificate_that_does_not_fit() -> None:
    server = HttpServer(GOOD)
    server.invalid = TlsFailure.HOST_MISMATCH
    with pytest.raises(FetchFailed) as failed:
        fetch(server)
    assert failed.value.tls
    assert not server.writes


def test_too_much() -> None:
    said = GOOD.replace(b"Length: 5", b"Length: 65537")
    assert "more than 65536 octets" in problem(HttpServer(said))


def test_a_server_that_trickles() -> None:
    server = HttpServer(GOOD, pace=1)
    assert "not done within 60 s" in problem(server)
    assert len(server.said) == len(GOOD) - 60


def test_a_server_that_is_silent() -> None:
    class Silent(HttpStream):
        async def receive(self, timeout: float) -> bytes:
            self._clock.at += timeout
            raise TimeoutError

    server = HttpServer(b"")
    server.stream = Silent
    assert "not done within 60 s" in problem(server)


def test_a_server_that_is_none() -> None:
    assert "not HTTP" in problem(HttpServer(b"220 mx.test ESMTP\r\n\r\n"))
    assert "ended before" in problem(HttpServer(b""))


def test_the_next_address_is_tried() -> None:
    dns: Table = {f"{HOST} A": ["127.0.0.8", "127.0.0.9"]}
    assert (
        fetch({"127.0.0.8": "connection refused", "127.0.0.9": HttpServer(GOOD)}, dns) == b"hello"
    )
    assert "connection refused" in problem({"127.0.0.8": "connection refused"}, dns)


def test_all_addresses_share_one_deadline() -> None:
    dns: Table = {f"{HOST} A": [f"127.0.0.{n}" for n in range(1, 9)]}
    servers: dict[str, FakeServer | str] = {f"127.0.0.{n}": "timed out" for n in range(1, 9)}
    assert "not done within 60 s" in problem(servers, dns)


def test_names_that_lead_nowhere_or_inside() -> None:
    assert "has no address" in problem({}, {})
    assert "SERVFAIL" in problem({}, {f"{HOST} A": AnswerStatus.FAILED})
    dns: Table = {f"{HOST} A": ["127.0.0.9", "10.0.0.1"], f"{HOST} AAAA": ["::1"]}
    assert "refused" in problem(HttpServer(GOOD), dns, allow_private=False)


def bring(
    server: FakeServer | dict[str, FakeServer | str],
    address: str = "https://reports.x.test:8443/v1?a",
    dns: Table | None = None,
    **settings: Any,
) -> HttpResponse:
    clock = FakeClock()
    servers: dict[str, FakeServer | str] = (
        {"127.0.0.9": server} if isinstance(server, FakeServer) else server
    )
    resolver = FakeResolver({"reports.x.test A": ["127.0.0.9"]} if dns is None else dns)
    settings.setdefault("allow_private", True)
    network = FakeNetwork(servers, clock)
    fetcher = Fetcher(resolver, network, clock, FetchSettings(**settings))
    try:
        return run(
            fetcher.post(
                parse_https(address), b"\x00body", "application/x", authorization="Basic eA=="
            )
        )
    finally:
        assert all(stream.closed for stream in network.streams)


class TestPost:
    def test_what_is_sent(self) -> None:
        server = HttpServer(GOOD.replace(b"200 OK", b"403 No"))
        response = bring(server)
        assert (response.status, response.body) == (403, b"hello")
        assert server.handshakes == [(TlsPolicy.VERIFY, "reports.x.test")]
        head, _, body = server.writes[0].partition(b"\r\n\r\n")
        assert body == b"\x00body"
        lines = head.decode().split("\r\n")
        assert lines[:2] == ["POST /v1?a HTTP/1.1", "Host: reports.x.test:8443"]
        assert {
            "Authorization: Basic eA==",
            "Content-Type: application/x",
            "Content-Length: 5",
        } <= set(lines)

    def test_a_certificate_that_does_not_fit(self) -> None:
        server = HttpServer(GOOD)
        server.invalid = TlsFailure.HOST_MISMATCH
        with pytest.raises(FetchFailed) as failed:
            bring(server)
        assert failed.value.tls
        assert not server.writes

    def test_a_server_that_trickles(self) -> None:
        with pytest.raises(FetchFailed, match="not done within 60 s"):
            bring(HttpServer(GOOD, pace=1))

    def test_addresses_of_this_network(self) -> None:
        with pytest.raises(FetchFailed, match="refused"):
            bring(HttpServer(GOOD), allow_private=False)
        with pytest.raises(FetchFailed, match="refused"):
            bring(HttpServer(GOOD), "https://127.0.0.9/", allow_private=False)
        assert bring(HttpServer(GOOD), "https://127.0.0.9/", {}).status == 200
