"""Clients that dawdle, disks that fail, clocks that step."""

import asyncio
import contextlib
import poplib
import time
from pathlib import Path
from typing import Any

import pytest

from postroad.network import SystemClock
from tests.attacks.serving import BOB, PASSWORD, Client, connected, inbox, queued, serving

QUICK = {
    "command_seconds": 0.5,
    "data_idle_seconds": 0.5,
    "data_total_seconds": 1.5,
    "session_total_seconds": 4,
}


async def trickle(client: Client, text: bytes) -> str:
    """Send one byte each 0.2 s until the server has enough of it; return its last words."""
    last_words = asyncio.create_task(client.rest())
    for octet in text:
        client.send(bytes([octet]))
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(last_words), 0.2)
    return await last_words


async def test_one_byte_at_a_time_in_data(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=QUICK) as system, connected(system) as client:
        await client.open_transaction()
        said = await trickle(client, b"Subject: slow\r\n\r\n" + b"x" * 20)
        assert said.startswith("421 4.4.2"), said
        assert await inbox(system) == []
        assert await queued(system) == 0


async def test_silence(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=QUICK) as system, connected(system) as client:
        assert (await client.rest(5)).startswith("421 4.4.2")


async def test_a_bdat_that_never_ends(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=QUICK) as system, connected(system) as client:
        await client.ask("EHLO client.test")
        await client.ask("MAIL FROM:<eve@elsewhere.test>")
        await client.ask(f"RCPT TO:<{BOB}>")
        client.send("BDAT 1000000 LAST\r\nSubject: x\r\n")
        assert (await client.rest(5)).startswith("421 4.4.2")
        assert await queued(system) == 0


@pytest.mark.parametrize("service", ["mx", "submission"])
async def test_one_byte_at_a_time_in_a_command(tmp_path: Path, service: str) -> None:
    async with serving(tmp_path, limits=QUICK) as system:
        async with connected(system, service) as client:
            said = await trickle(client, b"EHLO " + b"x" * 20)
            assert said.startswith("421 4.4.2"), said


async def test_one_byte_at_a_time_in_a_login(tmp_path: Path) -> None:
    submission = {"auth_without_tls": True}
    async with serving(tmp_path, limits=QUICK, submission=submission) as system:
        async with connected(system, "submission") as client:
            await client.ask("EHLO client.test")
            assert (await client.ask("AUTH PLAIN")).startswith("334")
            said = await trickle(client, b"A" * 20)
            assert said.startswith("421 4.4.2"), said


@pytest.mark.parametrize("service", ["mx", "submissions", "pop3", "pop3s"])
@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01"], ids=["silent", "half"])
async def test_a_tls_handshake_that_does_not_go_on_ends(
    tmp_path: Path, service: str, hello: bytes
) -> None:
    async with serving(tmp_path, limits={"tls_handshake_seconds": 0.5}) as system:
        host, port = system.listening[service][0]
        reader, writer = await asyncio.open_connection(host, port)
        if service == "mx":
            writer.write(b"EHLO client.test\r\nSTARTTLS\r\n")
        elif service == "pop3":
            writer.write(b"STLS\r\n")
        writer.write(hello)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 5)
        assert time.monotonic() - began < 3
        writer.close()


async def test_a_half_open_tls_handshake_does_not_stop_others(tmp_path: Path) -> None:
    async with serving(tmp_path) as system:
        host, port = system.listening["submissions"][0]
        halves = [await asyncio.open_connection(host, port) for _ in range(20)]
        for _, writer in halves:
            writer.write(b"\x16\x03\x01")
        async with connected(system) as client:
            assert (await client.ask("NOOP")).startswith("250")
        for _, writer in halves:
            writer.close()


async def test_many_idle_connections(tmp_path: Path) -> None:
    limits = {"max_connections": 300, "max_connections_per_client": 200}
    async with serving(tmp_path, limits=limits) as system:
        host, port = system.listening["mx"][0]
        idle = [await asyncio.open_connection(host, port) for _ in range(200)]
        for reader, _ in idle:
            assert (await reader.readline()).startswith(b"220")
        reader, writer = await asyncio.open_connection(host, port)
        assert (await reader.readline()).startswith(b"421")
        writer.close()
        idle.pop()[1].close()
        await asyncio.sleep(0.05)
        async with connected(system) as client:
            assert (await client.ask("NOOP")).startswith("250")
        for _, writer in idle:
            writer.close()


async def test_a_client_that_dies_in_the_middle(tmp_path: Path) -> None:
    async with serving(tmp_path) as system:
        async with connected(system) as client:
            await client.open_transaction()
            client.send("Subject: half\r\n\r\nhalf of a mess")
            await client.writer.drain()
        await asyncio.sleep(0.05)
        assert await inbox(system) == []
        assert await queued(system) == 0


@pytest.fixture
def stepping(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Step the wall clock by an hour back, not the monotonic one."""

    def step() -> None:
        monkeypatch.setattr(SystemClock, "now", lambda self: time.time() - 3600)

    return step


async def test_the_clock_steps_back_an_hour(tmp_path: Path, stepping: Any) -> None:
    async with serving(tmp_path) as system, connected(system) as client:
        await client.open_transaction()
        client.send("Subject: before\r\n\r\nx\r\n.\r\n")
        assert (await client.reply()).startswith("250")
        await inbox(system, wait_for=1)
        stepping()
        await client.open_transaction()
        client.send("Subject: after\r\n\r\nx\r\n.\r\n")
        assert (await client.reply()).startswith("250")
        assert len(await inbox(system, wait_for=2)) == 2


async def test_pop3_needs_quit_to_delete(tmp_path: Path) -> None:
    async with serving(tmp_path, pop3={"auth_without_tls": True}) as system:
        async with connected(system) as client:
            await client.open_transaction()
            client.send("Subject: keep\r\n\r\nx\r\n.\r\n")
            await client.reply()
        await inbox(system, wait_for=1)
        host, port = system.listening["pop3"][0]

        def delete(*, leave: bool) -> None:
            pop = poplib.POP3(host, port, timeout=10)
            pop.user(BOB)
            pop.pass_(PASSWORD)
            pop.dele(1)
            if leave:
                pop.quit()
            else:
                pop.close()

        await asyncio.to_thread(delete, leave=False)
        await asyncio.sleep(0.05)
        assert len(await inbox(system)) == 1
        await asyncio.to_thread(delete, leave=True)
        assert await inbox(system) == []
