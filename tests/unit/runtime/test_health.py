"""A server's health: each look, when all is well and when it is not."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from postroad.model import (
    Accepted,
    Address,
    ContentRef,
    Delivery,
    Envelope,
    Group,
    Message,
    Origin,
    ServerKind,
)
from postroad.network import SystemClock
from postroad.runtime import health
from postroad.runtime.certificate import make_self_signed
from postroad.runtime.office import Office
from postroad.service.domain_check import Finding, Level
from tests.fake_dns import FakeDns
from tests.unit.web.site import config_of

OK, WARNING, PROBLEM = Level.OK, Level.WARNING, Level.PROBLEM
YEAR_SECONDS = 365 * 86_400.0


class Later(SystemClock):
    """The system's clock, so many seconds ahead."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


@asynccontextmanager
async def office_of(directory: Path, **sections: Any) -> AsyncIterator[tuple[Office, Later]]:
    clock = Later()
    async with Office.open(config_of(directory / "data", **sections), clock=clock) as office:
        yield office, clock


def levels(found: list[Finding]) -> list[Level]:
    return [each.level for each in found]


async def test_certificates_end_and_are_read(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    pem, built = make_self_signed(("mail.here.test",))
    key.write_bytes(pem)
    certificate.write_bytes(built)
    async with office_of(tmp_path) as (office, _):
        assert levels(health.certificate(office)) == [WARNING]
    tls = {"certificate": certificate, "key": key}
    async with office_of(tmp_path, tls=tls) as (office, clock):
        (found,) = health.certificate(office)
        assert found.level is WARNING
        assert found.text.startswith("signed by itself, for mail.here.test, until 20")
        clock.ahead = 2 * YEAR_SECONDS
        (found,) = health.certificate(office)
        assert (found.level, found.text[:12]) == (PROBLEM, "it ended on ")
        certificate.write_text("nothing")
        assert levels(health.certificate(office)) == [PROBLEM]


async def test_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with office_of(tmp_path) as (office, _):
        for free, level in ((500, OK), (80, WARNING), (20, PROBLEM)):
            usage = shutil._ntuple_diskusage(1000 * 2**30, 0, free * 2**30)
            monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
            (found,) = health.disk(office)
            assert found.level is level
            assert found.text.startswith(f"{free}.0 GiB free of 1000.0")


def test_the_clock_is_looked_at() -> None:
    (found,) = health.clock()
    assert found.topic == "clock"
    assert found.level in (OK, WARNING)


async def test_what_has_been_due_for_long(tmp_path: Path) -> None:
    async with office_of(tmp_path) as (office, clock):
        first, second = await health.queue(office)
        assert (first.level, first.text) == (OK, "0 wait, 0 are held")
        assert (second.level, second.text) == (PROBLEM, "0 processes work on this store")
        writer = office.store.content.stage(7)
        writer.write(b"A: b\r\n")
        staged = await writer.finish()
        ann, now = Address("ann", "there.test"), clock.now()
        message = Message(7, Envelope(None), ContentRef(7, 6), Origin(ServerKind.LOCAL), now)
        delivery = Delivery(7, 0, ann, ann, "there.test", due_at=now - 1200)
        change = Accepted(now, message, (delivery,))
        await office.store.ledger.commit(Group((change,), (staged,)))
        (late, _) = await health.queue(office)
        assert late.level is WARNING
        assert late.text == "1 wait, 0 are held; the oldest has been due for 20 minutes"


async def test_ports_that_answer_and_one_that_does_not() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    places = {"mx": [("0.0.0.0", port)]}
    assert await health.ports(places) == [Finding("ports", OK, f"mx on 0.0.0.0:{port}")]
    server.close()
    await server.wait_closed()
    assert levels(await health.ports(places)) == [PROBLEM]


async def test_our_addresses_on_lists(tmp_path: Path) -> None:
    records = {
        "mail.here.test": {"A": ["192.0.2.10"]},
        "10.2.0.192.bad.test": {"A": ["127.0.0.2"]},
        "10.2.0.192.odd.test": {"A": ["127.255.255.254"]},  # an error of the list's own
        "10.2.0.192.mute.test": {"A": ["!"]},
    }
    async with office_of(tmp_path) as (office, _):
        assert levels(await health.lists(office, FakeDns(records))) == [OK]
    zones = ["bad.test", "odd.test", "mute.test", "good.test"]
    async with office_of(tmp_path, abuse={"dns_block_lists": zones}) as (office, _):
        found = await health.lists(office, FakeDns(records))
        assert levels(found) == [PROBLEM, OK, WARNING, OK]
        assert found[0].text == "192.0.2.10 is on bad.test"
        assert levels(await health.lists(office, FakeDns({}))) == [WARNING]
