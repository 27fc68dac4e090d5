"""Pictures of the web: from public addresses alone, bounded, and nothing said of who reads."""

import struct
from typing import Any

import pytest

from postroad.delivery.exchange import FetchFailed
from postroad.delivery.pictures import Pictures, PictureSettings
from postroad.message.display import Picture
from postroad.model import TlsFailure
from tests.unit.delivery.test_https import HttpServer, HttpStream
from tests.unit.delivery.world import FakeClock, FakeNetwork, FakeResolver, FakeServer, run

DATA = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 60, 40) + b"\x08\2\0\0\0"


class ClearStream(HttpStream):
    """Is asked in clear, too."""

    async def send(self, data: bytes, timeout: float) -> None:
        self.server.writes.append(data)


def server(said: bytes = b"", pace: int = 1_000_000) -> HttpServer:
    made = HttpServer(said or answer(DATA), pace)
    made.stream = ClearStream
    return made


def answer(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def moved(to: str) -> bytes:
    return answer(b"", "302 Found", f"Location: {to}\r\n")


def fetch(
    url: str = "https://x.test/a.png",
    servers: dict[str, FakeServer | str] | None = None,
    dns: dict[str, Any] | None = None,
    **settings: Any,
) -> tuple[Picture, bytes]:
    clock = FakeClock()
    network = FakeNetwork({"11.0.0.1": server()} if servers is None else servers, clock)
    resolver = FakeResolver({"x.test A": ["11.0.0.1"], "y.test A": ["11.0.0.2"], **(dns or {})})
    try:
        return run(Pictures(resolver, network, clock, PictureSettings(**settings)).fetch(url))
    finally:
        assert all(stream.closed for stream in network.streams)
        for address, port in network.tried:
            assert address.startswith("11."), "only what is public"
            assert port in (80, 443)


def problem(*args: Any, **settings: Any) -> str:
    with pytest.raises(FetchFailed) as failed:
        fetch(*args, **settings)
    return str(failed.value)


def test_a_picture_and_what_its_server_hears() -> None:
    asked = server()
    assert fetch("https://x.test/a b.png?c=ä#d", {"11.0.0.1": asked}) == (
        Picture("image/png", 60, 40),
        DATA,
    )
    (request,) = asked.writes
    assert request.startswith(b"GET /a%20b.png?c=%C3%A4 HTTP/1.1\r\nHost: x.test\r\n")
    assert not any(name in request.lower() for name in (b"cookie", b"referer", b"authorization"))
    assert len(asked.handshakes) == 1
    clear = server()
    fetch("http://x.test/a.png", {"11.0.0.1": clear})
    assert clear.handshakes == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://169.254.169.254/latest", "http://10.0.0.1/", "http://2130706433/",
        "http://0.0.0.0/", "http://224.0.0.1/", "https://private.test/", "https://local6.test/",
        "https://mapped.test/", "https://nowhere.test/", "http://x.test:25/", "https://x.test:8443/",
        "http://u:p@x.test/", "http://[::1]/", "file:///etc/passwd", "gopher://x.test/", "http:///",
        "http://x.test\\@y.test/", "http://x..test/\r\nHost: y", "http://0x7f.1/",
        "http://" + "a" * 3000,
    ],
)  # fmt: skip
def test_nobody_leads_us_into_our_own_network(url: str) -> None:
    dns = {
        "private.test A": ["192.168.1.1"],
        "local6.test AAAA": ["::1"],
        "mapped.test AAAA": ["::ffff:127.0.0.1"],
    }
    assert problem(url, dns=dns)


def test_redirects_are_followed_and_judged_each() -> None:
    servers: dict[str, FakeServer | str] = {
        "11.0.0.1": server(moved("//y.test/b")), "11.0.0.2": server()
    }  # fmt: skip
    assert fetch(servers=servers)[1] == DATA
    for to in ("http://127.0.0.1/", "http://localhost/", "file:///etc/passwd", "http://y.test:22/"):
        assert problem(servers={"11.0.0.1": server(moved(to))})
    endless = {"11.0.0.1": server(moved("https://y.test/")), "11.0.0.2": server(moved("/again"))}
    assert "redirects" in problem(servers=endless, max_redirects=1)


@pytest.mark.parametrize(
    "said",
    [
        answer(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), answer(b"<html>"), answer(b""),
        answer(DATA, "404 Not Found"), answer(DATA, "206 Partial"), b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + DATA,
    ],
)  # fmt: skip
def test_what_is_no_picture(said: bytes) -> None:
    assert problem(servers={"11.0.0.1": server(said)})


def test_limits() -> None:
    assert "octets" in problem(max_octets=20)
    assert "pixels" in problem(max_pixels=2_399)
    assert "not done" in problem(servers={"11.0.0.1": server(pace=1)}, total_seconds=5.0)


def test_a_certificate_that_does_not_fit() -> None:
    asked = server()
    asked.invalid = TlsFailure.HOST_MISMATCH
    with pytest.raises(FetchFailed) as failed:
        fetch(servers={"11.0.0.1": asked})
    assert failed.value.tls
    assert not asked.writes
