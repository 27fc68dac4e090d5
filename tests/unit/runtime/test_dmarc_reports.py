"""Mail that comes in by SMTP is counted, and the report about it goes out the next day."""

import asyncio
from pathlib import Path
from typing import Any

from postroad.model import DeliveryState
from postroad.ports import QueueFilter
from postroad.runtime.compose import System
from postroad.runtime.config import Config
from postroad.trust.dmarc_report import AggregateReport, read_message
from tests.fake_dns import FakeDns

DNS = {
    "there.test": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]},
    "_dmarc.there.test": {"TXT": ["v=DMARC1; p=reject; rua=mailto:dmarc@there.test"]},
    "fine.test": {"TXT": ["v=spf1 ip4:127.0.0.1 -all"]},
    "_dmarc.fine.test": {"TXT": ["v=DMARC1; p=reject; rua=mailto:dmarc@fine.test"]},
}


def config(tmp_path: Path, **sections: Any) -> Config:
    nowhere: list[str] = []
    listen = dict.fromkeys(("submission", "submissions", "pop3", "pop3s"), nowhere)
    return Config.model_validate(
        {
            "server": {"hostname": "mail.here.test", "data_dir": str(tmp_path / "data")},
            "listen": {"mx": ["127.0.0.1:0"], "local": "", **listen},
            **sections,
        }
    )


async def send(port: int, domain: str) -> str:
    """Send a message from that domain; return the last reply."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [
        "EHLO x.test",
        f"MAIL FROM:<jo@{domain}>",
        "RCPT TO:<postmaster@here.test>",
        "DATA",
        f"From: jo@{domain}\r\nSubject: x\r\n\r\nhello\r\n.",
    ]
    reply = ""
    for line in ["", *lines]:
        if line:
            writer.write(line.encode() + b"\r\n")
        while True:
            reply = (await asyncio.wait_for(reader.readline(), 10)).decode()
            if reply[3:4] != "-":
                break
    writer.close()
    return reply


async def report_of(system: System, domain: str) -> AggregateReport | None:
    """The report that waits for that domain."""
    everything = QueueFilter(states=tuple(DeliveryState), destination=domain)
    (item,) = await system.desk.list(everything)
    return read_message(await system.store.content.read(item.message.content))


class Shifted:
    """A clock that is a day ahead when told."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.ahead = 0.0

    def now(self) -> float:
        return float(self._inner.now()) + self.ahead

    def monotonic(self) -> float:
        return float(self._inner.monotonic())

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


async def test_mail_is_counted_and_reported(tmp_path: Path) -> None:
    from postroad.network import SystemClock

    clock = Shifted(SystemClock())
    there = config(tmp_path, dmarc_reports={"contact": "postmaster@here.test"})
    async with System.open(there, resolver=FakeDns(DNS), clock=clock) as system:
        await system.domains.add("here.test")
        from postroad.model import Address

        await system.accounts.add(Address("postmaster", "here.test"), "secret")
        await system.start()
        (_, port) = system.listening["mx"][0]
        assert (await send(port, "there.test")).startswith("550 5.7.1")
        assert (await send(port, "there.test")).startswith("550 5.7.1")
        assert (await send(port, "fine.test")).startswith("250")
        assert (await send(port, "silent.test")).startswith("250")
        assert system.dmarc_reports is not None
        assert await system.dmarc_reports.send_due() == 0
        clock.ahead = 86_400.0
        assert await system.dmarc_reports.send_due() == 2
        forged = await report_of(system, "there.test")
        assert forged is not None
        (row,) = forged.rows
        assert (row.source_ip, row.count, row.disposition) == ("127.0.0.1", 2, "reject")
        assert (row.spf, row.dkim, row.spf_auth[0].result) == ("fail", "fail", "fail")
        assert forged.policy.p == "reject"
        fine = await report_of(system, "fine.test")
        assert fine is not None
        assert (fine.messages, fine.passed, fine.rows[0].disposition) == (1, 1, "none")


async def test_reports_tell_what_was_done_in_a_dry_run(tmp_path: Path) -> None:
    from postroad.model import Address
    from postroad.network import SystemClock

    clock = Shifted(SystemClock())
    there = config(
        tmp_path,
        dmarc_reports={"contact": "postmaster@here.test"},
        policy={"dry_run": ["dmarc"]},
    )
    async with System.open(there, resolver=FakeDns(DNS), clock=clock) as system:
        await system.domains.add("here.test")
        await system.accounts.add(Address("postmaster", "here.test"), "secret")
        await system.start()
        (_, port) = system.listening["mx"][0]
        assert (await send(port, "there.test")).startswith("250")
        clock.ahead = 86_400.0
        assert system.dmarc_reports is not None
        assert await system.dmarc_reports.send_due() == 1
        report = await report_of(system, "there.test")
    assert report is not None
    (row,) = report.rows
    assert row.disposition == "none"
    assert [(each.type, each.comment) for each in row.reasons] == [
        ("local_policy", "policies are only tried here")
    ]


async def test_without_a_contact_nothing_is_counted(tmp_path: Path) -> None:
    async with System.open(config(tmp_path), resolver=FakeDns(DNS)) as system:
        assert system.dmarc_reports is None
    unchecked = config(tmp_path, dmarc_reports={"contact": "a@here.test"}, trust={"verify": False})
    async with System.open(unchecked, resolver=FakeDns(DNS)) as system:
        assert system.dmarc_reports is None
