"""A real server on loopback, in this process, for tests that talk to it by raw sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from postroad.lab.ca import Authority
from postroad.model import Address
from postroad.ports import QueueFilter, Resolver
from postroad.runtime.compose import System
from postroad.runtime.config import Config

DOMAIN = "us.test"
PASSWORD = "correct horse battery"
BOB = f"bob@{DOMAIN}"


@asynccontextmanager
async def serving(
    directory: Path, *, resolver: Resolver | None = None, **sections: dict[str, Any]
) -> AsyncIterator[System]:
    """Run a system with `bob@us.test`; `sections` lay over a configuration for loopback.

    Senders are recognised only with a `resolver`.
    """
    files = Authority(directory).issue("mx.us.test")
    values: dict[str, dict[str, Any]] = {
        "server": {"hostname": "mx.us.test", "data_dir": str(directory / "data")},
        "listen": {
            **{
                name: ["127.0.0.1:0"]
                for name in ("mx", "submission", "submissions", "pop3", "pop3s")
            },
            "local": "",
        },
        "tls": {"certificate": str(files.certificate), "key": str(files.key)},
        "trust": {"verify": resolver is not None},
        "delivery": {
            "nameservers": ["127.0.0.1:1"],
            "dns_timeout_seconds": 0.2,
            "dns_total_seconds": 0.3,
        },
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    async with System.open(Config.model_validate(values), resolver=resolver) as system:
        await system.domains.add(DOMAIN)
        await system.accounts.add(Address.parse(BOB), PASSWORD)
        await system.start()
        try:
            yield system
        finally:
            await system.stop(grace_seconds=0.2)


async def inbox(system: System, *, wait_for: int = 0) -> list[bytes]:
    """Return what lies in bob's INBOX, after waiting until it holds `wait_for` messages."""
    account = await system.store.directory.account(Address.parse(BOB))
    assert account is not None
    for _ in range(500):
        listing = await system.store.mailboxes.listing(account.inbox)
        if listing is not None and len(listing.uids) >= wait_for:
            entries = await system.store.mailboxes.entries(account.inbox, list(listing.uids))
            break
        await asyncio.sleep(0.01)
    else:
        raise AssertionError(f"{wait_for} messages did not come")
    return [entry.prefix + await system.store.content.read(entry.content) for entry in entries]


async def queued(system: System) -> int:
    """Return how many deliveries wait."""
    return len(await system.desk.list(QueueFilter(limit=10_000)))


class Client:
    """A client that says exactly what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def reply(self, seconds: float = 10) -> str:
        """Return one reply, all its lines; ``""`` at the end of the connection."""
        lines = []
        while True:
            line = await asyncio.wait_for(self.reader.readline(), seconds)
            lines.append(line.decode("utf-8", "replace"))
            if not line or line[3:4] != b"-":
                return "".join(lines)

    async def ask(self, command: bytes | str) -> str:
        """Send a command line and return the reply."""
        self.send((command.encode() if isinstance(command, str) else command) + b"\r\n")
        await self.writer.drain()
        return await self.reply()

    async def rest(self, seconds: float = 10) -> str:
        """Return all that comes until the server closes."""
        try:
            data = await asyncio.wait_for(self.reader.read(), seconds)
        except ConnectionError:
            return ""
        return data.decode("utf-8", "replace")

    async def open_transaction(self, recipient: str = BOB, helo: str = "EHLO client.test") -> None:
        """EHLO, MAIL, RCPT, DATA; each must be taken."""
        for command, code in (
            (helo, "250"),
            ("MAIL FROM:<eve@elsewhere.test>", "250"),
            (f"RCPT TO:<{recipient}>", "250"),
            ("DATA", "354"),
        ):
            reply = await self.ask(command)
            assert reply.startswith(code), reply


@asynccontextmanager
async def connected(
    system: System,
    service: str = "mx",
    *,
    greeting: bool = True,
    tls: Any = None,
    source: str | None = None,
) -> AsyncIterator[Client]:
    """Connect to a service of the system, from our address `source`."""
    host, port = system.listening[service][0]
    reader, writer = await asyncio.open_connection(
        host,
        port,
        ssl=tls,
        server_hostname="mx.us.test" if tls else None,
        local_addr=(source, 0) if source else None,
    )
    client = Client(reader, writer)
    try:
        if greeting:
            first = await client.reply()
            assert first.startswith(("220 ", "+OK")), first
        yield client
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
