"""MTA-STS policies: found, kept, renewed, and not taken away by whoever blocks DNS or web server."""

from typing import Any

import pytest

from postroad.delivery.exchange import FetchFailed
from postroad.delivery.sts import StsFound, StsPolicies, StsSettings
from postroad.model import Group, StsMode, TlsFailure
from postroad.ports import AnswerStatus, RouteFailed, StorageError
from postroad.storage.memory import MemoryStore
from tests.unit.delivery.world import FakeClock, FakeResolver, run

RECORD = "_mta-sts.x.test TXT"
POLICY = b"version: STSv1\nmode: enforce\nmx: *.x.test\nmax_age: 604800\n"


class FakeFetcher:
    """Has one file, or a reason why not."""

    def __init__(self) -> None:
        self.file: bytes | FetchFailed = POLICY
        self.asked: list[str] = []

    async def get(self, host: str, path: str, media_type: str) -> bytes:
        self.asked.append(f"{host}{path} {media_type}")
        if isinstance(self.file, FetchFailed):
            raise self.file
        return self.file


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.resolver = FakeResolver({RECORD: ["v=STSv1; id=1"]})
        self.fetcher = FakeFetcher()
        self.store = MemoryStore(before_commit=self._before)
        self.refuse_commits = False
        self.restart()

    def restart(self) -> None:
        """What is in memory is gone; the store stays."""
        self.policies = StsPolicies(
            resolver=self.resolver,
            fetcher=self.fetcher,  # type: ignore[arg-type]
            store=self.store.security,
            ledger=self.store.ledger,
            clock=self.clock,
            settings=StsSettings(),
        )

    def find(self, id: str | None = None, file: Any = None) -> StsFound:
        if id is not None:
            self.resolver.table[RECORD] = [f"v=STSv1; id={id}"]
        if file is not None:
            self.fetcher.file = file
        return run(self.policies.find("x.test"))

    def _before(self, group: Group) -> None:
        if self.refuse_commits:
            raise StorageError("disk full")


@pytest.fixture
def world() -> World:
    return World()


def mode(found: StsFound) -> StsMode | None:
    return found.policy.mode if found.policy else None


def test_a_domain_without(world: World) -> None:
    world.resolver.table.clear()
    assert world.find() == StsFound()
    assert not world.fetcher.asked


def test_a_policy_is_fetched_once_and_kept(world: World) -> None:
    found = world.find()
    assert mode(found) is StsMode.ENFORCE
    assert found.lines == ("MTA-STS policy of x.test: enforce, mx *.x.test",)
    assert world.fetcher.asked == ["mta-sts.x.test/.well-known/mta-sts.txt text/plain"]
    world.restart()
    assert world.find() == found
    assert len(world.fetcher.asked) == 1


def test_a_new_id_brings_a_new_policy(world: World) -> None:
    world.find()
    found = world.find("2", POLICY.replace(b"enforce", b"testing"))
    assert mode(found) is StsMode.TESTING
    assert found.policy is not None
    assert found.policy.id == "2"


def test_mode_none_takes_a_policy_back(world: World) -> None:
    world.find()
    found = world.find("2", b"version: STSv1\nmode: none\nmax_age: 60\n")
    assert (found.policy, found.failure) == (None, None)
    assert found.lines == ("MTA-STS policy of x.test: none",)


def test_a_policy_is_renewed_daily(world: World) -> None:
    world.find()
    world.clock.at += 86_000
    world.find()
    assert len(world.fetcher.asked) == 1
    world.clock.at += 1000
    found = world.find()
    assert len(world.fetcher.asked) == 2
    assert found.policy is not None
    assert found.policy.fetched_at == world.clock.now()


@pytest.mark.parametrize(
    "answer",
    [
        AnswerStatus.FAILED,
        AnswerStatus.NO_NAME,
        AnswerStatus.NO_DATA,
        ["v=STSv1; id=1", "v=STSv1; id=2"],
        ["v=STSv1; id=???"],
    ],
)
def test_who_blocks_the_dns_takes_nothing_away(world: World, answer: Any) -> None:
    world.find()
    world.restart()
    world.resolver.table[RECORD] = answer
    assert mode(world.find()) is StsMode.ENFORCE
    world.clock.at += 604_799
    assert mode(world.find()) is StsMode.ENFORCE
    world.clock.at += 1
    assert world.find().policy is None


@pytest.mark.parametrize(
    ("file", "failure"),
    [
        (FetchFailed("HTTP status 302"), TlsFailure.STS_FETCH),
        (FetchFailed("certificate expired", tls=True), TlsFailure.STS_WEBPKI),
        (b"<html>", TlsFailure.STS_INVALID),
    ],
)
def test_who_blocks_the_web_server_takes_nothing_away(
    world: World, file: Any, failure: TlsFailure
) -> None:
    world.find()
    found = world.find("2", file)
    assert (mode(found), found.failure) == (StsMode.ENFORCE, failure)
    assert "cannot be fetched" in found.lines[0]
    assert found.lines[1].endswith("(kept from before)")


def test_a_policy_that_was_never_had_does_not_bind(world: World) -> None:
    found = world.find("1", FetchFailed("HTTP status 404"))
    assert (found.policy, found.failure) == (None, TlsFailure.STS_FETCH)


def test_a_fetch_that_failed_is_not_tried_for_every_message(world: World) -> None:
    world.find("1", FetchFailed("HTTP status 404"))
    world.find()
    assert len(world.fetcher.asked) == 1
    world.find("2")
    assert len(world.fetcher.asked) == 2, "another policy is another matter"
    world.clock.at += 301
    assert mode(world.find(file=POLICY)) is StsMode.ENFORCE


def test_a_store_that_cannot_be_read_defers(world: World) -> None:
    async def broken(domain: str) -> None:
        raise StorageError("disk on fire")

    world.store.security.sts_policy = broken  # type: ignore[method-assign]
    with pytest.raises(RouteFailed) as failed:
        world.find()
    assert failed.value.reply.code == 451


def test_a_policy_that_cannot_be_kept_binds_all_the_same(world: World) -> None:
    world.refuse_commits = True
    assert mode(world.find()) is StsMode.ENFORCE
    world.restart()
    world.refuse_commits = False
    assert mode(world.find()) is StsMode.ENFORCE
    assert len(world.fetcher.asked) == 2
