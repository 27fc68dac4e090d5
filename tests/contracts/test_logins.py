"""App passwords and the journey of logins: batches, order, search, how much is kept."""

from msgspec.structs import replace

from postroad.model import (
    AccountRemoved,
    AppPasswordAdded,
    AppPasswordRemoved,
    LoggedIn,
    Login,
    LoginResult,
)
from tests.contracts.stores import Store, app_password, commit, people


def login(at: float, username: str = "ann@example.org", *, wrong: bool = False) -> Login:
    result = LoginResult.WRONG if wrong else LoginResult.OK
    return Login(at, at + 1, username, result, "PLAIN", "pop3", "192.0.2.1", "phone", 2)


def logged_in(
    *logins: Login, used: tuple[int, ...] = (), keep: int = 9, since: float = 0
) -> LoggedIn:
    return LoggedIn(50.0, logins, used, keep, since)


async def test_app_passwords_come_are_used_and_go(store: Store) -> None:
    await people(store)
    phone, desk = app_password(1, 7, "phone"), app_password(2, 7, "desk")
    await commit(store, AppPasswordAdded(2.0, phone), AppPasswordAdded(2.0, desk))
    assert await store.directory.app_passwords(7) == [desk, phone]
    assert await store.directory.app_passwords(8) == []
    await commit(store, logged_in(used=(1, 77)))
    assert await store.directory.app_passwords(7) == [desk, replace(phone, used_at=50.0)]
    await commit(store, AppPasswordRemoved(3.0, 7, "desk"))
    assert [each.name for each in await store.directory.app_passwords(7)] == ["phone"]
    await commit(store, AccountRemoved(4.0, 7))
    assert await store.directory.app_passwords(7) == []


async def test_logins_are_found(store: Store) -> None:
    mine = [login(1.0), login(2.0, wrong=True), login(3.0)]
    eves = [login(4.0, "eve", wrong=True)]
    before = await store.journey.after(0)
    await commit(store, logged_in(*mine), logged_in(*eves))
    assert await store.logins.newest() == [*eves, *reversed(mine)]
    assert await store.logins.newest(limit=2) == [eves[0], mine[2]]
    assert await store.logins.newest("ann@example.org") == mine[::-1]
    assert await store.logins.newest("ann@example.org", failed=True) == [mine[1]]
    assert await store.logins.newest(failed=True) == [eves[0], mine[1]]
    assert await store.logins.newest(since=4.0) == [eves[0], mine[2]]
    assert await store.journey.after(0) == before, "the journey of messages tells nothing of them"


async def test_good_and_bad_logins_are_kept_each_for_themselves(store: Store) -> None:
    good = login(1.0)
    await commit(store, logged_in(good, keep=3))
    bad = [login(float(at), wrong=True) for at in range(2, 8)]
    await commit(store, logged_in(*bad, keep=3))
    assert await store.logins.newest() == [*bad[:2:-1], good]
    await commit(store, logged_in(since=7.0))
    assert await store.logins.newest() == [bad[-1]]
    await commit(store, logged_in(keep=0))
    assert await store.logins.newest() == []
