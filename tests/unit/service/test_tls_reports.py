"""TLS reports: to whom they go, what is in them, and what is kept for another try."""

import email
from typing import Any

import pytest

from postroad.delivery.exchange import FetchFailed
from postroad.model import (
    Address,
    Envelope,
    Group,
    Origin,
    PolicyType,
    Reply,
    TlsCounted,
    TlsFailure,
    TlsResult,
)
from postroad.ports import StorageError
from postroad.service.tls_reports import TlsReports, TlsReportSettings
from postroad.storage.memory import MemoryStore
from postroad.trust.tls_report import read_report
from postroad.wire.http import HttpResponse, HttpsAddress
from tests.fake_dns import FakeDns

DAY, TODAY = "2026-11-24", "2026-11-25"
GOOD = TlsResult("d.test", PolicyType.STS, ("version: STSv1",), host="mx.d.test")
BAD = TlsResult("d.test", PolicyType.STS, ("version: STSv1",), TlsFailure.EXPIRED)


class FakeClock:
    def now(self) -> float:
        return 1_795_600_800.0  # 2026-11-25 10:00 UTC

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits here")


class FakeIntake:
    def __init__(self) -> None:
        self.taken: list[tuple[Envelope, bytes, Origin]] = []
        self.reply = Reply(250, "2.0.0", "Ok")

    async def submit(self, envelope: Envelope, data: bytes, origin: Origin) -> Reply:
        self.taken.append((envelope, data, origin))
        return self.reply


class FakeFetcher:
    """Answers by status per host; a text is why there is no answer."""

    def __init__(self) -> None:
        self.says: dict[str, int | str] = {}
        self.taken: list[tuple[str, bytes, str]] = []

    async def post(
        self, place: HttpsAddress, body: bytes, media_type: str, *, head_only: bool
    ) -> HttpResponse:
        said = self.says.get(place.host, 200)
        if isinstance(said, str):
            raise FetchFailed(said)
        if said < 300:
            self.taken.append((str(place), body, media_type))
        return HttpResponse(said, {}, b"")


class World:
    def __init__(self, *records: str, failing: bool = False) -> None:
        names: dict[str, dict[str, list[str]]] = {"_smtp._tls.d.test": {"TXT": list(records)}}
        self.dns = FakeDns(names, [("_smtp._tls.d.test", "TXT")] if failing else [])
        self.store = MemoryStore()
        self.intake = FakeIntake()
        self.web = FakeFetcher()
        self.reports = TlsReports(
            security=self.store.security,
            ledger=self.store.ledger,
            resolver=self.dns,
            submit=self.intake.submit,
            clock=FakeClock(),
            settings=TlsReportSettings(Address.parse("tls@us.test"), "Us"),
            fetcher=self.web,  # type: ignore[arg-type]
        )

    async def count(self, *results: TlsResult, day: str = DAY) -> None:
        await self.store.ledger.commit(Group((TlsCounted(1.0, day, results),)))

    async def left(self) -> list[tuple[str, str]]:
        return await self.store.security.tls_days("2027")


RUA = "v=TLSRPTv1; rua=mailto:reports@d.test,https://d.test/v1,mailto:second@e.test"


async def test_a_report() -> None:
    world = World(RUA)
    await world.count(GOOD, BAD)
    await world.count(GOOD)
    assert await world.reports.send_due() == 1
    ((envelope, data, _),) = world.intake.taken
    assert str(envelope.sender) == "tls@us.test"
    expected = ["reports@d.test", "second@e.test"]
    assert [str(each.address) for each in envelope.recipients] == expected
    message = email.message_from_bytes(data)
    assert message["To"] == "reports@d.test, second@e.test"
    _, _, part = message.walk()
    packed = part.get_payload(decode=True)
    assert isinstance(packed, bytes)
    report = read_report(packed)
    assert report.report_id == "2026-11-24.d.test@us.test"
    ((place, brought, media_type),) = world.web.taken
    assert (place, media_type) == ("https://d.test/v1", "application/tlsrpt+gzip")
    assert brought == packed
    (policy,) = report.policies
    assert policy.summary.total_successful_session_count == 2
    assert policy.summary.total_failure_session_count == 1
    assert await world.left() == []
    assert await world.reports.send_due() == 0


async def test_a_day_that_is_not_over_waits() -> None:
    world = World(RUA)
    await world.count(GOOD, day=TODAY)
    assert await world.reports.send_due() == 0
    assert await world.left() == [(TODAY, "d.test")]
    assert await world.reports.send_due("2026-11-26") == 1


@pytest.mark.parametrize(
    "records",
    [
        (),
        ("v=spf1 -all",),
        ("v=TLSRPTv1; rua=https://user@d.test",),
        ("v=TLSRPTv1; rua=mailto:no address",),
        ("v=TLSRPTv1; rua=mailto:\u00e9@d.test",),
    ],
)
async def test_nobody_wants_it(records: tuple[str, ...]) -> None:
    world = World(*records)
    await world.count(GOOD)
    assert await world.reports.send_due() == 0
    assert not world.intake.taken
    assert await world.left() == []


async def test_without_an_answer_from_the_dns_it_waits_for_days() -> None:
    world = World(failing=True)
    await world.count(GOOD)
    assert await world.reports.send_due() == 0
    assert await world.left() == [(DAY, "d.test")]
    assert await world.reports.send_due("2026-11-27") == 0
    assert await world.left() == [(DAY, "d.test")]
    await world.reports.send_due("2026-11-28")
    assert await world.left() == []


async def test_a_queue_that_does_not_take_it() -> None:
    world = World(RUA)
    await world.count(GOOD)
    world.intake.reply = Reply(452, "4.3.1", "full")
    assert await world.reports.send_due() == 0
    assert await world.left() == [(DAY, "d.test")]
    world.intake.reply = Reply(250, "2.0.0", "Ok")
    assert await world.reports.send_due() == 1


@pytest.mark.parametrize("trouble", ["connection refused", 302, 404, 503])
async def test_a_web_server_that_does_not_take_it(trouble: int | str) -> None:
    """It is tried again, from what the store has kept; nobody who has the report gets it twice."""
    world = World("v=TLSRPTv1; rua=https://a.test/,mailto:reports@d.test,https://b.test/")
    await world.count(GOOD)
    world.web.says["b.test"] = trouble
    for _ in range(2):
        assert await world.reports.send_due() == 0
        assert await world.left() == [(DAY, "d.test")]
    world.web.says.clear()
    assert await world.reports.send_due() == 1
    assert await world.left() == []
    assert [place for place, _, _ in world.web.taken] == ["https://a.test/", "https://b.test/"]
    assert len(world.intake.taken) == 1


async def test_a_web_server_that_is_down_for_days() -> None:
    world = World("v=TLSRPTv1; rua=https://a.test/")
    await world.count(GOOD)
    world.web.says["a.test"] = "timed out"
    assert await world.reports.send_due("2026-11-27") == 0
    assert await world.left() == [(DAY, "d.test")]
    assert await world.reports.send_due("2026-11-28") == 0
    assert await world.left() == []


async def test_a_store_that_fails_is_no_end() -> None:
    world = World(RUA)

    async def broken(*_: Any) -> Any:
        raise StorageError("disk on fire")

    world.store.security.tls_days = broken  # type: ignore[method-assign,assignment]
    assert await world.reports.send_due() == 0


async def test_many_domains_in_one_go() -> None:
    world = World()
    for number in range(250):
        await world.count(TlsResult(f"d{number:03d}.test", PolicyType.NONE))
    assert await world.reports.send_due() == 0
    assert await world.left() == []
