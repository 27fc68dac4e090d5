"""The book of logins: what differs only in time is one, what fails is kept, what floods is left out."""

import pytest
import structlog.testing

from postroad.model import Group, Login, LoginResult
from postroad.ports import StorageError
from postroad.service.logins import LoginBook, LoginSettings
from postroad.storage.memory import MemoryStore
from tests.unit.service.fakes import FakeClock


def login(at: float, username: str = "bob@x.test", result: LoginResult = LoginResult.OK) -> Login:
    return Login(at, at, username, result, "PLAIN", "pop3", "192.0.2.1")


async def test_polling_is_one_entry() -> None:
    store = MemoryStore()
    book = LoginBook(ledger=store.ledger, clock=FakeClock())
    for at in (1.0, 2.0, 3.0):
        book.record(login(at))
    book.record(login(2.5, result=LoginResult.WRONG))
    assert await store.logins.newest() == [], "not yet"
    await book.flush()
    await book.flush()
    wrong, right = await store.logins.newest()
    assert (right.at, right.last_at, right.count) == (1.0, 3.0, 3)
    assert (wrong.at, wrong.count) == (2.5, 1)


async def test_what_cannot_be_written_waits() -> None:
    failing = True

    def before(group: Group) -> None:
        if failing:
            raise StorageError("disk full")

    store = MemoryStore(before_commit=before)
    book = LoginBook(ledger=store.ledger, clock=FakeClock())
    book.record(login(1.0))
    with structlog.testing.capture_logs() as logs:
        await book.flush()
    assert logs[0]["error"] == "disk full"
    book.record(login(2.0, "eve"))
    failing = False
    await book.flush()
    assert [each.username for each in await store.logins.newest()] == ["eve", "bob@x.test"]


async def test_a_flood_is_bounded_and_reported() -> None:
    store = MemoryStore()
    settings = LoginSettings(login_pending=10)
    book = LoginBook(ledger=store.ledger, clock=FakeClock(), settings=settings)
    for number in range(25):
        book.record(login(1.0, f"user{number}"))
    with structlog.testing.capture_logs() as logs:
        await book.flush()
    assert logs[0]["left_out"] == 15
    assert len(await store.logins.newest()) == 10


@pytest.mark.parametrize("keep", [0, 3])
async def test_only_the_newest_are_kept(keep: int) -> None:
    store = MemoryStore()
    settings = LoginSettings(login_keep=keep)
    book = LoginBook(ledger=store.ledger, clock=FakeClock(), settings=settings)
    for number in range(9):
        book.record(login(1000.0, f"user{number}"))
        await book.flush()
    assert len(await store.logins.newest()) == keep
