"""Sessions, second factors, passkeys, and what was granted to programs."""

import pytest
from msgspec.structs import replace

from postroad.model import (
    AccountRemoved,
    Grant,
    GrantEnded,
    GrantGiven,
    GrantTurned,
    OperatorSet,
    Passkey,
    PasskeyAdded,
    PasskeyRemoved,
    PasskeyUsed,
    PendingCode,
    Scope,
    SecondFactor,
    SecondFactorRemoved,
    SecondFactorSet,
    SecondFactorUsed,
    SessionOpened,
    SessionsEnded,
    SessionUsed,
    WebSession,
)
from postroad.ports import Conflict
from tests.contracts.stores import Store, commit, people

ANN = 7


def session(number: int, at: float) -> WebSession:
    return WebSession(number, ANN, b"\xff" * 32, at, at, at, "192.0.2.1", "Browser/1.0")


def opened(number: int, at: float, *, keep: int = 3) -> SessionOpened:
    return SessionOpened(at, session(number, at), at - 100.0, at - 500.0, keep)


def passkey(number: int, *, at: float = 5.0) -> Passkey:
    return Passkey(bytes([number, 0xFF]), ANN, f"key {number}", b"\xa5\x01", 0, at)


def grant(number: int, at: float, *, expires_at: float = 900.0) -> Grant:
    pending = PendingCode("challenge", "https://client.example/back")
    return Grant(
        number, ANN, b"c" * 32, "Client", (Scope.JMAP,), b"code", at, at, expires_at, pending
    )


async def ids(store: Store) -> list[int]:
    return [each.id for each in await store.sessions.sessions(ANN)]


async def test_sessions_are_opened_used_and_ended(store: Store) -> None:
    await people(store)
    before = await store.journey.after(0)
    await commit(store, opened(1, 10.0), opened(2, 20.0))
    assert await store.sessions.session(1) == session(1, 10.0)
    assert await ids(store) == [2, 1]
    await commit(store, SessionUsed(30.0, 1, confirmed=True), SessionUsed(30.0, 99))
    used = await store.sessions.session(1)
    assert used is not None
    assert (used.used_at, used.confirmed_at, used.opened_at) == (30.0, 30.0, 10.0)
    assert await ids(store) == [1, 2]
    await commit(store, SessionUsed(20.0, 1))
    assert await store.sessions.session(1) == used, "time does not go back"
    await commit(store, SessionsEnded(40.0, 8, (1,)))
    assert await ids(store) == [1, 2], "somebody else's"
    await commit(store, opened(3, 40.0), SessionsEnded(41.0, ANN, (2,)))
    assert await ids(store) == [3, 1]
    await commit(store, SessionsEnded(42.0, ANN, but=1))
    assert await ids(store) == [1]
    await commit(store, SessionsEnded(43.0, ANN))
    assert await ids(store) == []
    assert await store.journey.after(0) == before, "secrets stay out of it"


async def test_sessions_are_bounded(store: Store) -> None:
    await people(store)
    for number in range(1, 5):
        await commit(store, opened(number, number * 10.0))
    assert await ids(store) == [4, 3, 2], "as many as are kept"
    await commit(store, SessionUsed(130.0, 2))
    await commit(store, opened(5, 135.0))
    assert await ids(store) == [5, 2, 4], "the last used stay"
    await commit(store, opened(6, 145.0))
    assert await ids(store) == [6, 5, 2], "4 was not used for so long"
    await commit(store, SessionUsed(510.0, 2))
    await commit(store, opened(7, 530.0))
    assert await ids(store) == [7], "2 was in use, and too old"
    with pytest.raises(Conflict, match="no account"):
        await commit(store, replace(opened(8, 530.0), session=replace(session(8, 1.0), account=9)))
    with pytest.raises(Conflict):
        await commit(store, opened(7, 540.0))


async def test_a_code_is_taken_once(store: Store) -> None:
    await people(store)
    assert await store.sessions.factor(ANN) is None
    factor = SecondFactor(ANN, b"\x00secret", 5.0, (b"one", b"two"))
    await commit(store, SecondFactorSet(5.0, factor))
    assert await store.sessions.factor(ANN) == factor
    account = await store.directory.account_by_id(ANN)
    assert account is not None
    assert account.second_factor
    await commit(store, SecondFactorUsed(6.0, ANN, step=100))
    for step in (100, 99):
        with pytest.raises(Conflict, match="used before"):
            await commit(store, SecondFactorUsed(7.0, ANN, step=step))
    await commit(store, SecondFactorUsed(7.0, ANN, recovery=b"one"))
    with pytest.raises(Conflict, match="used before"):
        await commit(store, SecondFactorUsed(8.0, ANN, recovery=b"one"))
    assert await store.sessions.factor(ANN) == replace(factor, step=100, recovery=(b"two",))
    await commit(store, SecondFactorRemoved(9.0, ANN))
    account = await store.directory.account_by_id(ANN)
    assert account is not None
    assert not account.second_factor
    for change in (SecondFactorUsed(9.0, ANN, step=200), SecondFactorRemoved(9.0, ANN)):
        with pytest.raises(Conflict, match="no second factor"):
            await commit(store, change)


async def test_passkeys(store: Store) -> None:
    await people(store)
    first, second = passkey(2), passkey(1, at=6.0)
    await commit(store, PasskeyAdded(5.0, first, 2), PasskeyAdded(6.0, second, 2))
    assert await store.sessions.passkeys(ANN) == [first, second]
    assert await store.sessions.passkey(second.id) == second
    with pytest.raises(Conflict, match="registered already"):
        await commit(store, PasskeyAdded(7.0, first, 9))
    with pytest.raises(Conflict, match="limit"):
        await commit(store, PasskeyAdded(7.0, passkey(3), 2))
    await commit(store, PasskeyUsed(8.0, first.id, 0, 7.5))
    with pytest.raises(Conflict, match="used before"):
        await commit(store, PasskeyUsed(9.0, first.id, 0, 7.5))
    await commit(store, PasskeyUsed(9.0, first.id, 4, 8.5))
    with pytest.raises(Conflict, match="copy"):
        await commit(store, PasskeyUsed(10.0, first.id, 4, 9.5))
    used = replace(first, used_at=9.0, sign_count=4, challenged_at=8.5)
    assert await store.sessions.passkey(first.id) == used
    with pytest.raises(Conflict, match="no such passkey"):
        await commit(store, PasskeyRemoved(11.0, 8, first.id))
    await commit(store, PasskeyRemoved(11.0, ANN, first.id))
    assert await store.sessions.passkeys(ANN) == [second]
    with pytest.raises(Conflict, match="no such passkey"):
        await commit(store, PasskeyUsed(12.0, first.id, 5, 11.5))


async def test_grants_turn_from_code_to_token(store: Store) -> None:
    await people(store)
    await commit(store, GrantGiven(10.0, grant(1, 10.0), 3))
    assert await store.sessions.grant(1) == grant(1, 10.0)
    await commit(store, GrantTurned(11.0, 1, b"code", b"first", 990.0))
    turned = replace(grant(1, 10.0), digest=b"first", used_at=11.0, expires_at=990.0, pending=None)
    assert await store.sessions.grant(1) == turned
    with pytest.raises(Conflict, match="used before"):
        await commit(store, GrantTurned(12.0, 1, b"code", b"second", 990.0))
    for number, expires in ((2, 13.0), (3, 900.0), (4, 900.0)):
        await commit(
            store, GrantGiven(10.0 + number, grant(number, 10.0 + number, expires_at=expires), 3)
        )
    assert [each.id for each in await store.sessions.grants(ANN)] == [4, 3, 1], "2 ran out"
    await commit(store, GrantEnded(20.0, 8, 3), GrantEnded(20.0, ANN, 1))
    with pytest.raises(Conflict, match="over"):
        await commit(store, GrantTurned(21.0, 1, b"first", b"second", 990.0))
    await commit(store, GrantEnded(22.0, ANN))
    assert await store.sessions.grants(ANN) == []


async def test_operators(store: Store) -> None:
    await people(store)
    for operator in (True, False):
        await commit(store, OperatorSet(5.0, ANN, operator, "root (command)"))
        account = await store.directory.account_by_id(ANN)
        assert account is not None
        assert account.operator is operator
    with pytest.raises(Conflict, match="no account"):
        await commit(store, OperatorSet(5.0, 8, True, "root (command)"))
    assert [type(each.change) for each in await store.journey.after(0)][-1] is OperatorSet


async def test_all_goes_with_the_account(store: Store) -> None:
    await people(store)
    await commit(
        store,
        opened(1, 10.0),
        SecondFactorSet(10.0, SecondFactor(ANN, b"s", 10.0)),
        PasskeyAdded(10.0, passkey(1), 9),
        GrantGiven(10.0, grant(1, 10.0), 9),
        AccountRemoved(11.0, ANN),
    )
    assert await ids(store) == []
    assert await store.sessions.factor(ANN) is None
    assert await store.sessions.passkeys(ANN) == []
    assert await store.sessions.grants(ANN) == []
