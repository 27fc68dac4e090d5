"""A whole server in this process: what comes in is delivered, reload keeps connections, stop ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from postroad.model import (
    Address,
    DeliveryState,
    Envelope,
    Message,
    Origin,
    Recipient,
    ServerKind,
)
from postroad.network import TlsFilesInvalid
from postroad.ports import Answer, AnswerStatus, QueueFilter
from postroad.runtime.addresses import own_endpoints
from postroad.runtime.certificate import write_self_signed
from postroad.runtime.compose import System
from postroad.runtime.config import Config
from postroad.runtime.listeners import CannotListen
from postroad.runtime.office import Office

JO = Address("jo", "here.test")
EVERYTHING = QueueFilter(states=tuple(DeliveryState))


class NoDns:
    """Knows that nothing exists, but for what it is given."""

    def __init__(self, **records: tuple[str, ...]) -> None:
        self._records = records

    async def lookup(self, name: str, rdtype: str) -> Answer:
        found = self._records.get(f"{rdtype}_{name.replace('.', '_')}")
        if found is None:
            return Answer(name, rdtype, AnswerStatus.NO_NAME, ttl=60)
        return Answer(name, rdtype, AnswerStatus.FOUND, found, ttl=60, canonical=name)


def make_config(tmp_path: Path, **sections: dict[str, Any]) -> Config:
    loopback = ["127.0.0.1:0"]
    base: dict[str, dict[str, Any]] = {
        "server": {"hostname": "mail.here.test", "data_dir": str(tmp_path / "data")},
        "trust": {"verify": False},
        "listen": {
            "mx": loopback,
            "submission": loopback,
            "submissions": loopback,
            "pop3": loopback,
            "pop3s": loopback,
            "local": str(tmp_path / "submit.sock"),
        },
    }
    for name, section in sections.items():
        base[name] = base.get(name, {}) | section
    return Config.model_validate(base)


@asynccontextmanager
async def running(config: Config, resolver: Any = None) -> AsyncIterator[System]:
    async with System.open(config, resolver=resolver or NoDns()) as system:
        if await system.domains.get("here.test") is None:
            await system.domains.add("here.test")
            await system.accounts.add(JO, "secret")
        await system.start()
        yield system


async def ended(system: System, count: int) -> list[str]:
    """Wait until so many deliveries have ended; return their states."""
    async with asyncio.timeout(10):
        while True:
            items = await system.desk.list(EVERYTHING)
            if len(items) >= count and all(item.delivery.state.final for item in items):
                return [item.delivery.state.value for item in items]
            await asyncio.sleep(0.01)


async def talk(port: int, *lines: str) -> list[str]:
    """Say each line after the last reply; return the replies' last lines."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    replies = [await _reply(reader)]
    for line in lines:
        writer.write(line.encode() + b"\r\n")
        replies.append(await _reply(reader))
    writer.close()
    return replies


async def _reply(reader: asyncio.StreamReader) -> str:
    while True:
        line = (await asyncio.wait_for(reader.readline(), 10)).decode()
        if line[3:4] != "-":
            return line.rstrip()


def test_mail_by_smtp_is_in_the_mailbox(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as system:
            (_, port) = system.listening["mx"][0]
            replies = await talk(
                port,
                "EHLO client.test",
                "MAIL FROM:<a@elsewhere.test>",
                "RCPT TO:<jo@here.test>",
                "RCPT TO:<nobody@here.test>",
                "RCPT TO:<x@elsewhere.test>",
                "DATA",
                "Subject: hi\r\n\r\nhello\r\n.",
            )
            codes = [reply.partition(" ")[0] for reply in replies]
            assert codes == ["220", "250", "250", "250", "550", "550", "354", "250"]
            assert await ended(system, 1) == ["delivered"]
            account = await system.office.directory.account(JO)
            assert account is not None
            listing = await system.store.mailboxes.listing(account.inbox)
            assert listing is not None
            assert len(listing.uids) == 1
            message: Message = (await system.journeys.find(address="jo@here.test"))[0]
            journey = await system.journeys.of(message.id)
            assert {"accepted", "split", "deposited", "delivered"} <= {
                line.what for line in journey.lines
            }

    asyncio.run(main())


def test_mail_without_a_way_returns_as_a_report(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as system:
            envelope = Envelope(JO, (Recipient(Address("x", "nowhere.test")),))
            reply = await system.intake.submit(
                envelope, b"Subject: hi\r\n\r\nhello\r\n", Origin(ServerKind.LOCAL)
            )
            assert reply.code == 250
            assert sorted(await ended(system, 2)) == ["bounced", "delivered"]

    asyncio.run(main())


def test_mail_that_would_come_back_to_us_is_a_loop(tmp_path: Path) -> None:
    dns = NoDns(MX_loop_test=("10 other.test",), A_other_test=("127.0.0.1",))

    async def main() -> None:
        with_port = make_config(tmp_path)
        async with running(with_port, dns) as system:
            port = system.listening["mx"][0][1]
            await system.stop(1)
        config = make_config(
            tmp_path,
            listen={"mx": [f"127.0.0.1:{port}"]},
            delivery={"port": port, "allow_private": True},
        )
        async with running(config, dns) as system:
            envelope = Envelope(JO, (Recipient(Address("x", "loop.test")),))
            await system.intake.submit(envelope, b"A: b\r\n\r\n", Origin(ServerKind.LOCAL))
            assert sorted(await ended(system, 2)) == ["bounced", "delivered"]
            items = await system.desk.list(EVERYTHING)
            bounced = [i for i in items if i.delivery.state is DeliveryState.BOUNCED]
            assert bounced[0].delivery.last is not None
            assert bounced[0].delivery.last.enhanced == "5.4.6"

    asyncio.run(main())


def test_reload_changes_ports_and_settings_for_new_connections(tmp_path: Path) -> None:
    async def main() -> None:
        config = make_config(tmp_path)
        async with running(config) as system:
            port = system.listening["mx"][0][1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert (await _reply(reader)).startswith("220")
            assert "submissions" not in system.listening
            write_self_signed(tmp_path / "c.pem", tmp_path / "k.pem", ("mail.here.test",))
            files = {"certificate": str(tmp_path / "c.pem"), "key": str(tmp_path / "k.pem")}
            changed = make_config(
                tmp_path,
                tls=files,
                listen={"pop3": []},
                limits={"max_message_octets": 5000, "max_header_octets": 5000},
            )
            await system.reload(changed)
            assert system.listening["mx"][0][1] == port
            assert "pop3" not in system.listening
            assert set(system.listening) == {"mx", "submission", "submissions", "pop3s"}
            writer.write(b"EHLO client.test\r\n")
            before = await reader.readuntil(b"LIMITS")
            assert b"SIZE 52428800" in before
            assert b"STARTTLS" not in before
            fresh_reader, fresh_writer = await asyncio.open_connection("127.0.0.1", port)
            fresh_writer.write(b"EHLO client.test\r\n")
            after = await asyncio.wait_for(fresh_reader.readuntil(b"LIMITS"), 10)
            assert b"SIZE 5000" in after
            assert b"STARTTLS" in after
            writer.close()
            fresh_writer.close()

    asyncio.run(main())


def test_a_reload_that_fails_changes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        config = make_config(tmp_path)
        async with running(config) as system:
            before = system.listening
            files = {"certificate": str(tmp_path / "no.pem"), "key": str(tmp_path / "no.pem")}
            with pytest.raises(TlsFilesInvalid):
                await system.reload(make_config(tmp_path, tls=files))
            taken = system.listening["submission"][0][1]
            busy = {"mx": [f"127.0.0.1:{taken}"], "pop3": []}
            with pytest.raises(CannotListen, match="address already in use"):
                await system.reload(make_config(tmp_path, listen=busy))
            assert system.listening == before
            assert system.config is config
            assert (await talk(before["pop3"][0][1]))[0].startswith("+OK")

    asyncio.run(main())


def test_an_office_on_the_store_of_a_running_server(tmp_path: Path) -> None:
    async def main() -> None:
        config = make_config(tmp_path)
        async with running(config) as system, Office.open(config) as office:
            new = Address("new", "here.test")
            await office.accounts.add(new, "secret")
            replies = await talk(
                system.listening["mx"][0][1],
                "EHLO client.test",
                "MAIL FROM:<>",
                "RCPT TO:<new@here.test>",
            )
            assert replies[-1].startswith("250")

    asyncio.run(main())


def test_a_queue_that_fails_is_noticed(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as system:
            task = system._chores.running["queue"]
            await asyncio.sleep(0)
            system.queue._stop.set()  # it ends though nobody stopped the system
            error = await asyncio.wait_for(system.failure(), 10)
            assert "queue ended though nobody stopped it" in str(error)
            assert task.done()

    asyncio.run(main())


def test_stopping_twice_and_before_the_start(tmp_path: Path) -> None:
    async def main() -> None:
        config = make_config(tmp_path)
        async with System.open(config, resolver=NoDns()) as system:
            await system.stop(0)
            await system.stop(0)
        async with running(config) as system:
            await system.stop(1)
            assert system.listening == {}
            assert system.local_socket is None

    asyncio.run(main())


def test_own_addresses_stand_for_every_interface() -> None:
    found = own_endpoints([("0.0.0.0", 25), ("192.0.2.1", 26)])
    assert {("127.0.0.1", 25), ("192.0.2.1", 26)} <= found
    assert ("0.0.0.0", 25) not in found
