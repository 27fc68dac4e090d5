"""`ports.OwnerStore`, and how its changes are applied inside the writer's open transaction."""

from typing import Any

import msgspec

from postroad.model import Quota, QuotaSet, Vacation, VacationAnswered, VacationSet
from postroad.storage import conflicts
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

_decode = msgspec.json.Decoder(Vacation).decode


class SqlOwners:
    """See `ports.OwnerStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def quota(self, account: int) -> Quota:
        """Return what an operator set for an account."""
        rows = self._database.read(SQL["quota_get"], (account,))
        return Quota(*rows[0]) if rows else Quota()

    async def quotas(self, since: float) -> list[tuple[int, Quota]]:
        """Return what was set at that time or later, with the INBOX of each account."""
        rows: list[Any] = await self._database.browse(
            lambda c: c.execute(SQL["quota_since"], (since,)).fetchall()
        )
        return [(inbox, Quota(octets, messages)) for inbox, octets, messages in rows]

    async def vacation(self, account: int) -> Vacation:
        """Return what an account answers."""
        rows = self._database.read(SQL["vacation_get"], (account,))
        return _decode(rows[0][0]) if rows else Vacation()

    async def answered(self, account: int, sender: str) -> float | None:
        """Return when a sender (folded) was answered last, None where that is not known (any more)."""
        rows = self._database.read(SQL["vacation_answer_get"], (account, sender))
        return rows[0][0] if rows else None

    async def answers(self, account: int, since: float) -> int:
        """Return how many senders were answered at that time or later."""
        rows = self._database.read(SQL["vacation_answer_count"], (account, since))
        return int(rows[0][0])


def account_removed(connection: Connection, account: int) -> None:
    """Forget all of an account."""
    for statement in ("quota_delete", "vacation_delete", "vacation_answer_delete_account"):
        connection.execute(SQL[statement], (account,))


def _need_account(connection: Connection, account: int) -> None:
    if connection.execute(SQL["account_get_by_id"], (account,)).get is None:
        raise conflicts.no_account(account)


def _quota_set(connection: Connection, change: QuotaSet) -> None:
    _need_account(connection, change.account)
    quota = change.quota
    values = (change.account, quota.octets, quota.messages, change.at)
    connection.execute(SQL["quota_put"], values)


def _vacation_set(connection: Connection, change: VacationSet) -> None:
    _need_account(connection, change.account)
    data = msgspec.json.encode(change.vacation).decode()
    connection.execute(SQL["vacation_put"], (change.account, data))
    connection.execute(SQL["vacation_answer_delete_account"], (change.account,))


def _answered(connection: Connection, change: VacationAnswered) -> None:
    _need_account(connection, change.account)
    key = (change.account, change.sender)
    before = connection.execute(SQL["vacation_answer_get"], key).get
    if before is not None and before >= change.since:
        raise conflicts.answered_already()
    connection.execute(SQL["vacation_answer_forget"], (change.account, change.since))
    connection.execute(SQL["vacation_answer_put"], (*key, change.at))


APPLY: dict[type, Any] = {
    QuotaSet: _quota_set,
    VacationSet: _vacation_set,
    VacationAnswered: _answered,
}
