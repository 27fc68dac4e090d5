"""Quotas and vacations of accounts, in every store."""

import pytest

from postroad.model import (
    AccountRemoved,
    Quota,
    QuotaSet,
    Vacation,
    VacationAnswered,
    VacationSet,
)
from postroad.ports import Conflict
from tests.contracts.stores import INBOX, Store, commit, people

ANN = 7
AWAY = Vacation(True, 5.0, None, "away", "text", None)


async def test_what_belongs_to_an_owner(store: Store) -> None:
    await people(store)
    owners = store.owners
    assert (await owners.quota(ANN), await owners.quotas(0.0)) == (Quota(), [])
    assert await owners.vacation(ANN) == Vacation()
    assert await owners.answered(ANN, "bob@far.example") is None
    await commit(store, QuotaSet(1.0, ANN, Quota(9, 0)), QuotaSet(2.0, ANN, Quota(None, 5)))
    assert await owners.quotas(2.0) == [(INBOX, Quota(None, 5))]
    assert await owners.quotas(2.1) == []
    await commit(store, VacationSet(2.0, ANN, AWAY))
    await commit(store, VacationAnswered(3.0, ANN, "bob@far.example", 2.0))
    with pytest.raises(Conflict):
        await commit(store, VacationAnswered(4.0, ANN, "bob@far.example", 3.0))
    assert await owners.answered(ANN, "bob@far.example") == 3.0
    assert await owners.quota(ANN) == Quota(None, 5)
    assert await owners.vacation(ANN) == AWAY
    await commit(store, VacationAnswered(9.0, ANN, "eve@far.example", 4.0))
    assert await owners.answered(ANN, "bob@far.example") is None, "it was long ago"
    assert await owners.answers(ANN, 9.0) == 1
    await commit(store, VacationAnswered(9.0, ANN, "bob@far.example", 4.0))
    await commit(store, VacationSet(10.0, ANN, AWAY))
    assert await owners.answers(ANN, 0.0) == 0
    await commit(store, VacationAnswered(11.0, ANN, "bob@far.example", 4.0))
    for change in (
        QuotaSet(1.0, 99, Quota()),
        VacationSet(1.0, 99, AWAY),
        VacationAnswered(1.0, 99, "bob@far.example", 0.0),
    ):
        with pytest.raises(Conflict):
            await commit(store, change)
    await commit(store, AccountRemoved(12.0, ANN))
    assert (await owners.quota(ANN), await owners.quotas(0.0)) == (Quota(), [])
    assert await owners.vacation(ANN) == Vacation()
    assert await owners.answers(ANN, 0.0) == 0
