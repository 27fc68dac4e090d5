"""Wires that are slow, cut, or lead elsewhere."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from postroad.lab.network import LabNetwork
from postroad.network import ClientTls
from postroad.ports import ConnectFailed


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_round_trip_takes_its_time(echo: int) -> None:
    network = LabNetwork(ClientTls())
    network.latency_seconds = 0.1
    now = asyncio.get_running_loop().time
    began = now()

    stream = await network.connect("127.0.0.1", echo, timeout=1)
    assert now() - began >= 0.1
    await stream.send(b"x", 1)
    assert await stream.receive(1) == b"x"

    assert 0.2 <= now() - began < 0.5
    assert stream.source == "127.0.0.1"
    assert stream.tls is None
    stream.close()


async def test_a_round_trip_beyond_patience_is_a_time_out(echo: int) -> None:
    network = LabNetwork(ClientTls())
    network.latency_seconds = 0.1
    stream = await network.connect("127.0.0.1", echo, timeout=1)
    await stream.send(b"x", 1)

    with pytest.raises(TimeoutError):
        await stream.receive(0.05)
    with pytest.raises(ConnectFailed, match="timed out"):
        await network.connect("127.0.0.1", echo, timeout=0.05)
    stream.close()


async def test_black_holes_time_out(echo: int) -> None:
    network = LabNetwork(ClientTls())
    network.black_holes.add("127.0.0.1")

    with pytest.raises(ConnectFailed, match="timed out"):
        await network.connect("127.0.0.1", echo, timeout=0.05)


async def test_an_address_may_stand_for_another_place(echo: int) -> None:
    network = LabNetwork(ClientTls())
    network.places["127.66.0.9", 25] = ("127.0.0.1", echo)

    stream = await network.connect("127.66.0.9", 25, timeout=1)
    await stream.send(b"x", 1)

    assert await stream.receive(1) == b"x"
    stream.close()
