"""The daily job: what was seen is counted, and goes to those who want it, once."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from postroad.model import Address, Envelope, Origin, Reply
from postroad.ports import StorageError
from postroad.service.dmarc_reports import DmarcReports, DmarcReportSettings
from postroad.storage.spool import FileSpool
from postroad.trust.dmarc import read_dmarc_record
from postroad.trust.dmarc_report import AggregateReport, Observation, read_message
from tests.fake_dns import FakeDns

DAY = 86_400.0
NOON = 1_795_608_000.0  # 2026-11-25 12:00 UTC
OK = Reply(250, "2.0.0", "queued")


class Clock:
    at = NOON

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


def seen(domain: str = "there.test", rua: str = "", **changes: Any) -> Observation:
    record = read_dmarc_record(f"v=DMARC1; p=reject; rua=mailto:{rua or f'dmarc@{domain}'}")
    assert record is not None
    base = Observation(
        policy_domain=domain,
        record=record,
        source_ip="192.0.2.1",
        disposition="reject",
        dkim_aligned=False,
        spf_aligned=False,
        header_from=domain,
        envelope_from=domain,
    )
    return replace(base, **changes)


class Scene:
    def __init__(self, tmp_path: Path, dns: FakeDns | None = None) -> None:
        self.clock = Clock()
        self.spool = FileSpool(tmp_path / "spool")
        self.sent: list[tuple[Envelope, AggregateReport]] = []
        self.reply = OK
        self.dns = dns or FakeDns({"_dmarc.there.test": {"TXT": ["v=DMARC1; p=reject"]}})
        self.reports = self.make()

    def make(self) -> DmarcReports:
        return DmarcReports(
            spool=self.spool,
            resolver=self.dns,
            submit=self._submit,
            clock=self.clock,
            settings=DmarcReportSettings(Address("postmaster", "here.test"), "Here"),
        )

    async def _submit(self, envelope: Envelope, data: bytes, origin: Origin) -> Reply:
        report = read_message(data)
        assert report is not None
        assert not report.problems
        if self.reply.positive:
            self.sent.append((envelope, report))
        return self.reply


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_a_day_and_its_report(scene: Scene) -> None:
    scene.reports.note([seen(), seen(dkim_aligned=True)])
    scene.reports.note([seen()])
    assert await scene.reports.send_due() == 0  # the day is not over
    scene.clock.at += DAY
    scene.reports.note([seen(source_ip="192.0.2.2")])
    assert await scene.reports.send_due() == 1
    ((envelope, report),) = scene.sent
    assert str(envelope.sender) == "postmaster@here.test"
    assert [str(each.address) for each in envelope.recipients] == ["dmarc@there.test"]
    assert (report.messages, report.passed, report.policy.domain) == (3, 1, "there.test")
    assert (report.begin, report.end) == (1_795_564_800, 1_795_651_199)
    assert report.report_id == "2026-11-25.there.test@here.test"
    assert sorted(row.count for row in report.rows) == [1, 2]
    assert await scene.reports.send_due() == 0
    assert scene.spool.days() == ["2026-11-26"]


async def test_others_are_asked_whether_they_take_them(tmp_path: Path) -> None:
    scene = Scene(
        tmp_path,
        FakeDns(
            {
                "_dmarc.a.test": {"TXT": ["v=DMARC1; p=none"]},
                "a.test._report._dmarc.takes.test": {"TXT": ["v=DMARC1"]},
            }
        ),
    )
    scene.reports.note([seen("a.test", "x@takes.test,mailto:x@a.test,mailto:x@victim.test")])
    scene.reports.note([seen("b.test", "x@victim.test")])
    scene.clock.at += DAY
    assert await scene.reports.send_due() == 1
    ((envelope, _),) = scene.sent
    assert [str(each.address) for each in envelope.recipients] == ["x@takes.test", "x@a.test"]
    assert scene.spool.days() == []


@pytest.mark.parametrize("trouble", ["dns", "queue"])
async def test_what_cannot_be_done_now_is_tried_again(tmp_path: Path, trouble: str) -> None:
    silent = FakeDns(
        {"_dmarc.b.test": {"TXT": ["v=DMARC1"]}},
        failing=[("b.test._report._dmarc.other.test", "TXT")],
    )
    scene = Scene(tmp_path, silent)
    rua = "x@other.test" if trouble == "dns" else "x@b.test"
    scene.reports.note([seen("b.test", rua), seen("c.test")])
    scene.clock.at += DAY
    if trouble == "queue":
        scene.reply = Reply(452, "4.3.1", "full")
        assert await scene.reports.send_due() == 0
        scene.reply = OK
        assert await scene.reports.send_due() == 2
    else:
        assert await scene.reports.send_due() == 1
        assert await scene.reports.send_due() == 0  # c.test has had its own
        assert scene.spool.days() == ["2026-11-25"]
        scene.clock.at += 4 * DAY
        assert await scene.reports.send_due() == 0
    assert scene.spool.days() == []


async def test_after_a_crash_the_same_report_goes_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.reports.note([seen()])
    scene.clock.at += DAY
    monkeypatch.setattr(scene.spool, "forget", _failing)
    assert await scene.reports.send_due() == 1
    assert await scene.make().send_due() == 1
    assert scene.sent[0][1] == scene.sent[1][1]


def _failing(day: str) -> None:
    raise StorageError("read-only")


async def test_a_line_that_was_cut_short(scene: Scene) -> None:
    scene.reports.note([seen()])
    scene.spool.add("2026-11-25", b'{"policy_domain":"x')
    scene.clock.at += DAY
    assert await scene.reports.send_due() == 1


def test_mail_does_not_suffer(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(day: str, line: bytes) -> bool:
        raise StorageError("disk full")

    monkeypatch.setattr(scene.spool, "add", fail)
    scene.reports.note([seen()])
