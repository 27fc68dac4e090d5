"""The server of MTA-STS policies, over real sockets (without TLS, which asyncio adds)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from postroad.servers import small_file, sts
from postroad.servers.registry import Registry
from postroad.servers.sts import StsConnection
from postroad.wire.http import HttpResponse, ResponseReader, get_request

POLICY = "version: STSv1\r\nmode: none\r\nmax_age: 60\r\n"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    registry = Registry(max_connections=3)
    policies: Callable[[str], str | None] = {"x.test": POLICY}.get
    server = await loop.create_server(
        lambda: StsConnection(policies, registry, loop), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    await registry.shut_down(0.1)


async def end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def ask(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        await end(writer)


def read(data: bytes) -> HttpResponse:
    response = ResponseReader(1000).feed(data)
    assert response is not None
    return response


async def test_a_policy(port: int) -> None:
    response = read(await ask(port, get_request("mta-sts.x.test", sts.PATH, "text/plain")))
    assert (response.status, response.media_type) == (200, "text/plain")
    assert response.body.decode() == POLICY


async def test_only_its_head(port: int) -> None:
    data = get_request("mta-sts.X.test", sts.PATH, "*/*").replace(b"GET", b"HEAD")
    answer = await ask(port, data)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (get_request("mta-sts.y.test", sts.PATH, "*/*"), 404),
        (get_request("x.test", sts.PATH, "*/*"), 404),
        (get_request("mta-sts.x.test", "/", "*/*"), 404),
        (get_request("mta-sts.x.test", "/../../etc/passwd", "*/*"), 404),
        (get_request("mta-sts.x.test", sts.PATH, "*/*").replace(b"GET", b"POST"), 405),
        (b"EHLO x\r\n\r\n", 400),
        (b"x" * 20_000, 400),
    ],
)
async def test_anything_else(port: int, data: bytes, status: int) -> None:
    assert read(await ask(port, data)).status == status


async def test_who_is_slow_is_cut(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_file, "_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET ")
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    await end(writer)


async def test_connections_are_bounded(port: int) -> None:
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    await asyncio.sleep(0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    for _, each in [*held, (reader, writer)]:
        await end(each)
