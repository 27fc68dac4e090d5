"""`ports.OwnerStore` in memory, and how its changes are applied."""

from typing import TYPE_CHECKING, Any

from postroad.model import Quota, QuotaSet, Vacation, VacationAnswered, VacationSet
from postroad.storage import conflicts
from postroad.storage.memory.state import State

if TYPE_CHECKING:
    from postroad.storage.memory.apply import Application


class MemoryOwners:
    """See `ports.OwnerStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def quota(self, account: int) -> Quota:
        """Return what an operator set for an account."""
        return self._state.quotas.get(account, (Quota(), 0.0))[0]

    async def quotas(self, since: float) -> list[tuple[int, Quota]]:
        """Return what was set at that time or later, with the INBOX of each account."""
        state = self._state
        found = [(at, account, q) for account, (q, at) in state.quotas.items() if at >= since]
        found.sort(key=lambda each: each[:2])
        return [(state.accounts[account].inbox, quota) for _, account, quota in found]

    async def vacation(self, account: int) -> Vacation:
        """Return what an account answers."""
        return self._state.vacations.get(account, Vacation())

    async def answered(self, account: int, sender: str) -> float | None:
        """Return when a sender (folded) was answered last, None where that is not known (any more)."""
        return self._state.vacation_answers.get((account, sender))

    async def answers(self, account: int, since: float) -> int:
        """Return how many senders were answered at that time or later."""
        answers = self._state.vacation_answers.items()
        return sum(key[0] == account and at >= since for key, at in answers)


def account_removed(do: "Application", account: int) -> None:
    """Forget all of an account."""
    do.undo.delete(do.state.quotas, account)
    do.undo.delete(do.state.vacations, account)
    _forget_answers(do, account, float("inf"))


def _forget_answers(do: "Application", account: int, before: float) -> None:
    answers = do.state.vacation_answers
    for key, at in list(answers.items()):
        if key[0] == account and at < before:
            do.undo.delete(answers, key)


def _need_account(do: "Application", account: int) -> None:
    if account not in do.state.accounts:
        raise conflicts.no_account(account)


def _quota_set(do: "Application", change: QuotaSet) -> None:
    _need_account(do, change.account)
    do.undo.put(do.state.quotas, change.account, (change.quota, change.at))
    do.note(change)


def _vacation_set(do: "Application", change: VacationSet) -> None:
    _need_account(do, change.account)
    do.undo.put(do.state.vacations, change.account, change.vacation)
    _forget_answers(do, change.account, float("inf"))
    do.note(change)


def _answered(do: "Application", change: VacationAnswered) -> None:
    _need_account(do, change.account)
    answers = do.state.vacation_answers
    key = (change.account, change.sender)
    before = answers.get(key)
    if before is not None and before >= change.since:
        raise conflicts.answered_already()
    _forget_answers(do, change.account, change.since)
    do.undo.put(answers, key, change.at)
    do.note(change)


APPLY: dict[type, Any] = {
    QuotaSet: _quota_set,
    VacationSet: _vacation_set,
    VacationAnswered: _answered,
}
