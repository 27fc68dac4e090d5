"""Port 80: the texts of challenges, and 404 for all else."""

import asyncio

import pytest

from postroad.servers import small_file
from postroad.servers.challenge import ChallengeConnection
from postroad.servers.registry import Registry

KNOWN = {"token_1": b"token_1.thumbprint"}


async def ask(data: bytes, *, max_connections: int = 10) -> bytes:
    loop = asyncio.get_running_loop()
    registry = Registry(max_connections=max_connections)
    server = await loop.create_server(
        lambda: ChallengeConnection(KNOWN.get, registry, loop), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    server.close()
    assert len(registry) == 0
    return answer


async def test_a_token() -> None:
    answer = await ask(b"GET /.well-known/acme-challenge/token_1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\ntoken_1.thumbprint")


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/.well-known/acme-challenge/",
        b"/.well-known/acme-challenge/token_2",
        b"/.well-known/acme-challenge/../acme-challenge/token_1",
        b"/.well-known/acme-challenge/%2e%2e%2faccount.pem",
        b"/.well-known/mta-sts.txt",
        b"//.well-known/acme-challenge/token_1",
    ],
)
async def test_any_other_path(path: bytes) -> None:
    answer = await ask(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 ")


async def test_what_is_no_request() -> None:
    assert (await ask(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
    assert (await ask(b"EHLO x.test\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    assert (await ask(b"a" * 100_000)).startswith(b"HTTP/1.1 400 ")
    head = await ask(b"HEAD /.well-known/acme-challenge/token_1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.endswith(b"\r\n\r\n")


async def test_who_dawdles_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_file, "_SECONDS", 0.1)
    assert await ask(b"GET / HTTP") == b""


async def test_too_many() -> None:
    assert await ask(b"", max_connections=0) == b""
