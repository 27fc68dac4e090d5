"""When a certificate is renewed, and what happens when it cannot be: the earlier one stays."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from postroad.lab.ca import Authority
from postroad.ports.authority import IssueFailed
from postroad.runtime.certificate import key_in, make_key, read_facts
from postroad.runtime.config import Config
from postroad.runtime.renewal import Attempts, Busy, FileWatch, Renewal, prepare, read_attempts

NAME = "mail.here.test"
DAY = 86400.0


class SetClock:
    """Time that passes only while somebody sleeps; `ends_at` ends the test."""

    def __init__(self, at: float, ends_at: float = float("inf")) -> None:
        self.at = at
        self.ends_at = ends_at

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        await asyncio.sleep(0)
        if self.at >= self.ends_at:
            raise asyncio.CancelledError


class Issuer:
    """Issues by the lab's authority, or fails; tells when it was asked."""

    def __init__(self, tmp_path: Path, clock: SetClock) -> None:
        self._began = clock.at
        self._authority = Authority(tmp_path / "ca")
        self._clock = clock
        self.asked: list[float] = []
        self.failure: Exception | None = None
        self.other_key = False
        self.names: tuple[str, ...] | None = None

    async def issue(self, names: Sequence[str], key: bytes) -> bytes:
        self.asked.append(self._clock.at)
        if self.failure is not None:
            raise self.failure
        key = make_key() if self.other_key else key
        ago = 1 - (self._clock.at - self._began) / DAY
        return self._authority.sign(key, *(self.names or names), starts_days_ago=ago)


def make_config(tmp_path: Path, **acme: Any) -> Config:
    return Config.model_validate(
        {
            "server": {"hostname": NAME, "data_dir": str(tmp_path / "data")},
            "tls": {"acme": "http-01"},
            "acme": {"terms_agreed": True, **acme},
        }
    )


@pytest.fixture
def now() -> float:
    import time

    return time.time()


def make(
    tmp_path: Path, now: float, ends_at: float = float("inf"), **acme: Any
) -> tuple[Renewal, Issuer]:
    clock = SetClock(now, ends_at)
    issuer = Issuer(tmp_path, clock)
    return Renewal(make_config(tmp_path, **acme), clock, issuer), issuer


def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "acme" / "certificate.pem"


async def test_renewed_when_two_thirds_are_over(tmp_path: Path, now: float) -> None:
    renewal, _ = make(tmp_path, now)
    assert renewal.due_at() == 0.0
    prepare(make_config(tmp_path))
    assert read_facts(file(tmp_path).read_bytes()).self_signed
    assert renewal.due_at() == 0.0  # nobody vouches for it
    facts = await renewal.renew()
    assert renewal.due_at() == facts.renew_at == pytest.approx(now + 19 * DAY, abs=60)
    prepare(make_config(tmp_path))  # leaves what there is
    assert renewal.facts() == facts


async def test_other_names_are_asked_for_at_once(tmp_path: Path, now: float) -> None:
    renewal, _ = make(tmp_path, now)
    await renewal.renew()
    wider, _ = make(tmp_path, now, names=[NAME, "pop.here.test"])
    assert wider.due_at() == 0.0


@pytest.mark.parametrize("reuse", [True, False])
async def test_the_key(tmp_path: Path, now: float, reuse: bool) -> None:
    renewal, _ = make(tmp_path, now, reuse_key=reuse)
    await renewal.renew()
    first = key_in(file(tmp_path).read_bytes())
    await renewal.renew()
    assert (key_in(file(tmp_path).read_bytes()) == first) is reuse


async def test_it_runs_for_ever(tmp_path: Path, now: float) -> None:
    renewal, issuer = make(tmp_path, now, ends_at=now + 25 * DAY)
    with pytest.raises(asyncio.CancelledError):
        await renewal.run()
    # At once, and when two thirds of 30 days (that began a day ago) are over.
    assert issuer.asked[0] == now
    assert issuer.asked[1] == pytest.approx(now + 19 * DAY, abs=1200)


async def test_failures_are_tried_again_ever_later(tmp_path: Path, now: float) -> None:
    renewal, issuer = make(
        tmp_path, now, now + 10 * 3600, retry_min_seconds=600, retry_max_seconds=7200
    )
    issuer.failure = IssueFailed("rate limited")
    with pytest.raises(asyncio.CancelledError):
        await renewal.run()
    waits = [round(b - a) for a, b in zip(issuer.asked, issuer.asked[1:], strict=False)]
    assert waits == [600, 1200, 2400, 4800, 7200, 7200, 7200][: len(waits)]
    assert len(waits) >= 5
    attempts = read_attempts(tmp_path / "data" / "acme")
    assert attempts.failures == len(issuer.asked)
    assert attempts.error == "rate limited"
    # A restart does not come sooner.
    again, other = make(tmp_path, issuer.asked[-1] + 1, issuer.asked[-1] + 5000)
    with pytest.raises(asyncio.CancelledError):
        await again.run()
    assert other.asked == []


async def test_success_forgets_failures(tmp_path: Path, now: float) -> None:
    renewal, issuer = make(tmp_path, now)
    issuer.failure = IssueFailed("no")
    with pytest.raises(IssueFailed):
        await renewal.renew()
    issuer.failure = None
    await renewal.renew()
    assert renewal.attempts() == Attempts()


async def test_a_clock_that_is_wrong_makes_no_storm(tmp_path: Path, now: float) -> None:
    """What the authority issues is over two thirds as soon as it is there."""
    renewal, issuer = make(tmp_path, now + 25 * DAY, now + 26 * DAY)
    with pytest.raises(asyncio.CancelledError):
        await renewal.run()
    assert 3 < len(issuer.asked) < 12
    assert "clock" in renewal.attempts().error


@pytest.mark.parametrize("trouble", ["other key", "other names", "nonsense", "refused"])
async def test_whatever_goes_wrong_the_earlier_one_stays(
    tmp_path: Path, now: float, trouble: str
) -> None:
    renewal, issuer = make(tmp_path, now)
    await renewal.renew()
    before = file(tmp_path).read_bytes()
    if trouble == "other key":
        issuer.other_key = True
    elif trouble == "other names":
        issuer.names = ("else.test",)
    elif trouble == "nonsense":
        issuer.failure = ValueError("no PEM")
    else:
        issuer.failure = IssueFailed("no")
    with pytest.raises(IssueFailed):
        await renewal.renew()
    assert file(tmp_path).read_bytes() == before
    assert renewal.attempts().failures == 1


async def test_two_at_once(tmp_path: Path, now: float) -> None:
    renewal, _ = make(tmp_path, now)
    began, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Issuer):
        async def issue(self, names: Sequence[str], key: bytes) -> bytes:
            began.set()
            await go_on.wait()
            return await super().issue(names, key)

    clock = SetClock(now)
    slow = Renewal(make_config(tmp_path), clock, Slow(tmp_path, clock))
    task = asyncio.ensure_future(slow.renew())
    await began.wait()
    with pytest.raises(Busy):
        await renewal.renew()
    assert renewal.attempts().failures == 0
    go_on.set()
    await task


async def test_a_directory_that_cannot_be_written(tmp_path: Path, now: float) -> None:
    (tmp_path / "data").write_text("a file")
    renewal, _ = make(tmp_path, now)
    with pytest.raises(IssueFailed, match="data"):
        await renewal.renew()


def test_watching_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a")
    two.write_text("b")
    watch = FileWatch((one, two))
    assert not watch.changed((one, two))
    two.unlink()
    assert not watch.changed((one, two))  # being replaced
    two.write_text("other")
    assert watch.changed((one, two))
    assert not watch.changed((one, two))
    assert not FileWatch(None).changed(None)
