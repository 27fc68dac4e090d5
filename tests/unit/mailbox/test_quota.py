"""Accounts are full when they are, and not for longer."""

from typing import Any

from postroad.mailbox.quota import FULL, FULL_FOR_NOW, REMEMBER_SECONDS, Quotas, QuotaSettings
from postroad.model import AccountAdded, Expunged, Quota, QuotaSet
from postroad.model.account import Account
from postroad.storage.memory import MemoryStore
from tests.contracts.stores import ANN, INBOX, accept, attempted, commit, deposited, people, result
from tests.unit.service.fakes import FakeClock

OTHER = 900


class Mailboxes:
    """Those of a store, counting how often it is asked."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store.mailboxes, name)

    async def of_account(self, account: int) -> Any:
        self.asked += 1
        return await self._store.mailboxes.of_account(account)


class World:
    def __init__(self, **settings: Any) -> None:
        self.store = MemoryStore()
        self.mailboxes = Mailboxes(self.store)
        self.clock = FakeClock()
        mailboxes: Any = self.mailboxes
        self.quotas = Quotas(
            owners=self.store.owners,
            mailboxes=mailboxes,
            clock=self.clock,
            settings=QuotaSettings(**settings),
        )

    async def arrive(self, count: int = 1) -> int:
        """Deposit messages; return the size of one."""
        size = 0
        for _ in range(count):
            message = await accept(self.store, ANN)
            change = deposited(message)
            size = change.size
            await commit(self.store, attempted(message, result()), change)
        return size


async def test_nothing_is_asked_without_quotas() -> None:
    world = World()
    await people(world.store)
    await world.quotas.refresh()
    assert not world.quotas.active
    assert await world.quotas.problem(INBOX, 10**15) is None
    assert world.mailboxes.asked == 0


async def test_the_default_by_messages_and_by_octets() -> None:
    world = World(default=Quota(None, 3))
    await people(world.store)
    size = await world.arrive(2)
    assert world.quotas.active
    assert await world.quotas.problem(INBOX, 1) is None
    world.quotas.took(INBOX, 1)
    assert await world.quotas.problem(INBOX, 1) == FULL_FOR_NOW
    world.clock.at += REMEMBER_SECONDS + 1
    assert await world.quotas.problem(INBOX, 1) is None, "it never came"
    world.quotas.configure(QuotaSettings(Quota(3 * size, 0), refuse=True))
    assert await world.quotas.problem(INBOX, size) is None
    assert await world.quotas.problem(INBOX, size + 1) == FULL


async def test_what_is_full_is_looked_at_again() -> None:
    world = World(default=Quota(None, 2))
    await people(world.store)
    await world.arrive(2)
    assert await world.quotas.problem(INBOX, 1) == FULL_FOR_NOW
    assert await world.quotas.problem(INBOX, 1) == FULL_FOR_NOW
    assert world.mailboxes.asked == 1, "not for each message that comes"
    await commit(world.store, Expunged(9.0, INBOX, (1,)))
    world.clock.at += 1.5
    assert await world.quotas.problem(INBOX, 1) is None


async def test_one_account_may_have_more_or_less_than_others() -> None:
    world = World(default=Quota(10**6, 1))
    await people(world.store)
    far = ANN.parse("far@example.org")
    await commit(world.store, AccountAdded(1.0, Account(8, far, "hash", OTHER)))
    await world.arrive()
    await commit(world.store, QuotaSet(1000.0, 7, Quota(None, 0)))
    assert await world.quotas.problem(INBOX, 1) == FULL_FOR_NOW, "not read yet"
    await world.quotas.refresh()
    assert world.quotas.of(INBOX) == Quota(10**6, 0)
    assert await world.quotas.problem(INBOX, 1) is None
    assert await world.quotas.problem(INBOX, 10**6) == FULL_FOR_NOW
    assert world.quotas.of(OTHER) == Quota(10**6, 1)
    await commit(world.store, QuotaSet(1001.0, 7, Quota()))
    await world.quotas.refresh()
    assert world.quotas.of(INBOX) == Quota(10**6, 1)
    world.quotas.configure(QuotaSettings())
    assert not world.quotas.active


async def test_a_message_is_refused_where_nobody_it_goes_to_has_room() -> None:
    world = World(default=Quota(None, 1))
    await people(world.store)
    far = ANN.parse("far@example.org")
    await commit(world.store, AccountAdded(1.0, Account(8, far, "hash", OTHER)))
    await world.arrive()
    refusal = world.quotas.refusal
    assert await refusal([INBOX], 0) == FULL_FOR_NOW
    assert await refusal([INBOX, INBOX], 0) == FULL_FOR_NOW
    assert await refusal([INBOX, OTHER], 0) is None
    assert await refusal([INBOX, None], 0) is None
    assert await refusal([OTHER], 0) is None
