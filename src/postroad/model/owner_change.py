"""Durable changes of what belongs to owners of accounts, see `model.change`.

`at` is seconds since 1970 in each.
"""

from typing import TypeAlias

from msgspec import Struct

from postroad.model.owner import Quota, Vacation


class QuotaSet(Struct, frozen=True, tag="quota_set"):
    """An operator said how much mail an account may have."""

    at: float
    account: int
    quota: Quota


class VacationSet(Struct, frozen=True, tag="vacation_set"):
    """An account's owner said what is answered while away. Who was answered before is forgotten."""

    at: float
    account: int
    vacation: Vacation


class VacationAnswered(Struct, frozen=True, tag="vacation_answered"):
    """`sender` (folded) is answered for an account, in the group that accepts the answer. A conflict
    where that happened at `since` or later already. What was before that is forgotten.
    """

    at: float
    account: int
    sender: str
    since: float


OwnerChange: TypeAlias = QuotaSet | VacationSet | VacationAnswered
