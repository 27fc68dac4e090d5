"""How much mail an account has and may have, for operators."""

from msgspec import Struct

from postroad.mailbox.quota import Quotas, Usage
from postroad.model import Address, Group, Quota, QuotaSet
from postroad.ports import Clock, Directory, Ledger, OwnerStore
from postroad.service.errors import Refused

MAX_QUOTA = 2**53 - 1


class QuotaReport(Struct, frozen=True):
    """What holds for an account, what of that was set for it alone, and what there is."""

    quota: Quota
    own: Quota
    usage: Usage


class QuotaDesk:
    """Shows and sets quotas. A running server notices within seconds."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        directory: Directory,
        owners: OwnerStore,
        quotas: Quotas,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._owners = owners
        self._quotas = quotas
        self._clock = clock

    async def report(self, address: Address) -> QuotaReport:
        """Return how an account stands. Raises `Refused`."""
        account = await self._directory.account(address)
        if account is None:
            raise Refused(f"there is no account {address}; see: postroad account list")
        await self._quotas.refresh()
        usage = await self._quotas.usage(account.inbox, 0.0)
        own = await self._owners.quota(account.id)
        return QuotaReport(self._quotas.of(account.inbox), own, usage)

    async def set(self, address: Address, quota: Quota) -> None:
        """Say what an account may have. Raises `Refused`."""
        for value in (quota.octets, quota.messages):
            if value is not None and not 0 <= value <= MAX_QUOTA:
                raise Refused(f"a quota is from 0 (no limit) to {MAX_QUOTA}")
        account = await self._directory.account(address)
        if account is None:
            raise Refused(f"there is no account {address}; see: postroad account list")
        await self._ledger.commit(Group((QuotaSet(self._clock.now(), account.id, quota),)))
