"""Each sender is answered once in a while, so many senders, and what fails is asked again."""

from typing import Any

import pytest
from msgspec.structs import replace

from postroad.model import (
    Account,
    Address,
    Envelope,
    Group,
    Message,
    Origin,
    Reply,
    ServerKind,
    Vacation,
    VacationSet,
)
from postroad.ports import StorageError
from postroad.service.vacation import Vacations, VacationSettings
from postroad.service.wishes import Wishes
from postroad.storage.memory import MemoryStore
from tests.contracts.stores import ANN, INBOX, accept, commit, people
from tests.unit.service.fakes import FakeClock

ACCOUNT = Account(7, ANN, "hash", INBOX)
LETTER = b"From: bob@far.example\r\nTo: ann@example.org\r\nSubject: hello\r\n\r\nhi\r\n"
OK = Reply(250, "2.0.0", "Ok")


class World:
    def __init__(self, **settings: Any) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.sent: list[tuple[Envelope, bytes]] = []
        self.reply = OK
        self.vacations = Vacations(
            owners=self.store.owners,
            content=self.store.content,
            clock=self.clock,
            submit=self.submit,
            settings=VacationSettings(**settings),
        )

    async def submit(
        self, envelope: Envelope, data: bytes, origin: Origin, wishes: Wishes
    ) -> Reply:
        assert origin.server is ServerKind.LOCAL
        if self.reply.code == 250:
            await self.store.ledger.commit(Group(wishes.also))
            self.sent.append((envelope, data))
        return self.reply

    async def open(self, vacation: Vacation | None = None) -> None:
        await people(self.store)
        away = vacation or Vacation(enabled=True, text="away")
        await commit(self.store, VacationSet(1.0, 7, away))

    async def come(self, sender: str = "bob@far.example") -> str:
        message: Message = await accept(self.store, ANN, data=LETTER)
        delivery = (await self.store.queue.deliveries(message.id))[0]
        envelope = Envelope(Address.parse(sender), message.envelope.recipients)
        return await self.vacations.answer(ACCOUNT, replace(message, envelope=envelope), delivery)


async def test_a_sender_is_answered_once_in_a_while() -> None:
    world = World(period_seconds=3600.0)
    await world.open()
    assert await world.vacations.away(7)
    assert await world.come() == "answered to bob@far.example"
    envelope, data = world.sent[0]
    assert (envelope.sender, str(envelope.recipients[0].address)) == (None, "bob@far.example")
    assert not envelope.recipients[0].notify.on_failure
    assert b"Subject: Auto: hello\r\n" in data
    assert await world.come("BOB@far.example") == "not answered: its sender was answered already"
    assert await world.come("eve@far.example") == "answered to eve@far.example"
    world.clock.at += 3601
    assert await world.come() == "answered to bob@far.example"
    assert len(world.sent) == 3


async def test_so_many_senders_are_answered() -> None:
    world = World(max_answers=2)
    await world.open()
    found = [await world.come(f"{name}@far.example") for name in ("a", "b", "c")]
    assert found[2] == "not answered: 2 senders were answered already"
    assert len(world.sent) == 2


async def test_nobody_is_away() -> None:
    world = World()
    await world.open(Vacation(enabled=True, from_at=2000.0, text="away"))
    assert await world.vacations.away(7), "it may come to that"
    assert await world.come() == ""
    await commit(world.store, VacationSet(1.0, 7, Vacation()))
    assert not await world.vacations.away(7)
    assert await world.come() == ""
    assert world.sent == []


async def test_what_cannot_be_sent_now_is_asked_again() -> None:
    world = World()
    await world.open()
    world.reply = Reply(451, "4.3.0", "later")
    with pytest.raises(StorageError):
        await world.come()
    world.reply = Reply(550, "5.1.1", "nobody")
    assert await world.come() == "not answered: 550 5.1.1 nobody"
    world.reply = OK
    assert await world.come() == "answered to bob@far.example"
