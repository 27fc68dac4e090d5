"""Judging mail by what the owner of its mailbox taught, and depositing it by that."""

from typing import Any

from msgspec.structs import replace

from postroad.mailbox.bayes import Clue, Judgement
from postroad.mailbox.deposit import REMEMBER_SECONDS, LocalDeliverer
from postroad.mailbox.junk import THREAD_FROM_OCTETS, TOLD_CLUES, JunkFilter, JunkSettings
from postroad.model import (
    JUNK,
    Account,
    AccountAdded,
    Deposited,
    JunkLearned,
    LeasedDelivery,
    TemporaryFailure,
)
from postroad.network import SystemEntropy
from postroad.ports import Attempt, StorageError
from postroad.storage.memory import MemoryStore
from tests.contracts.stores import ANN, BOB, INBOX, accept, commit, deliveries_of, people
from tests.unit.service.fakes import FakeClock

ANN_ID = 7
PILLS = b"Subject: pills\r\n\r\ncheap pills\r\n"
LUNCH = b"Subject: lunch\r\n\r\nlunch tomorrow\r\n"
SETTINGS = JunkSettings(min_messages=3)


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.content = CountingContent(self.store)
        junk = JunkFilter(store=self.store.junk, content=self.content, settings=SETTINGS)  # type: ignore[arg-type]
        self.deliverer = LocalDeliverer(
            mailboxes=self.store.mailboxes,
            directory=self.store.directory,
            clock=self.clock,
            entropy=SystemEntropy(),
            junk=junk,
        )

    async def teach(self, count: int, first: int = 0) -> None:
        for number in range(first, first + count):
            for spam, words in ((True, "cheap pills subject:pills"), (False, "lunch tomorrow")):
                digest = b"%d%d" % (spam, number)
                tokens = tuple(words.split())
                await commit(self.store, JunkLearned(1.0, ANN_ID, digest, spam, tokens, 1000, 1000))

    async def job(self, data: bytes, *recipients: Any) -> LeasedDelivery:
        message = await accept(self.store, *(recipients or (ANN,)), data=data)
        return LeasedDelivery(message, deliveries_of(message))

    async def deposit(self, job: LeasedDelivery) -> Attempt:
        session = await self.deliverer.connect(await self.deliverer.route("local"))
        (attempt,) = await session.attempt([job])
        return attempt


class CountingContent:
    def __init__(self, store: MemoryStore) -> None:
        self.reads = 0
        self.error: Exception | None = None
        self._store = store

    async def read(self, ref: Any, offset: int = 0, limit: int | None = None) -> bytes:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return await self._store.content.read(ref, offset, limit)


async def world() -> World:
    made = World()
    await people(made.store)
    return made


def where(attempt: Attempt) -> list[int]:
    return [change.mailbox for change in attempt.changes if isinstance(change, Deposited)]


async def test_who_taught_nothing_is_not_judged() -> None:
    here = await world()
    await here.teach(SETTINGS.min_messages - 1)
    job = await here.job(PILLS)
    assert where(await here.deposit(job)) == [INBOX]
    at_once = await here.deliverer.at_once(job)
    assert at_once is not None
    assert where(at_once) == [INBOX]
    assert here.content.reads == 0, "no message was looked at"


async def test_who_taught_enough_gets_junk_into_junk() -> None:
    here = await world()
    await here.teach(SETTINGS.min_messages)
    attempt = await here.deposit(await here.job(PILLS))
    (made,) = attempt.made
    assert (made.mailbox.name, where(attempt)) == (JUNK, [made.mailbox.id])
    ((_, what, text),) = [(step.seconds, step.what, step.text) for step in attempt.steps]
    assert what == "check"
    assert text.startswith("junk: quarantine (0.0 ms): 0.970 of 0.95; ")
    assert "words of junk: cheap 0.88, pills 0.88, subject:pills 0.88" in text
    attempt = await here.deposit(await here.job(LUNCH))
    assert (attempt.made, where(attempt)) == ((), [INBOX])
    assert attempt.steps[0].text.startswith("junk: accept (0.0 ms): 0.0")
    assert "words of ham: lunch 0.12, tomorrow 0.12" in attempt.steps[0].text


async def test_large_messages_are_judged_as_well() -> None:
    here = await world()
    await here.teach(SETTINGS.min_messages)
    large = PILLS + b"x y z\r\n" * THREAD_FROM_OCTETS
    assert where(await here.deposit(await here.job(large))) != [INBOX]


async def test_what_is_not_stored_yet_goes_the_long_way() -> None:
    here = await world()
    await here.teach(SETTINGS.min_messages)
    job = await here.job(PILLS)
    assert await here.deliverer.at_once(job) is None
    assert await here.deliverer.at_once(job) is None, "remembered or not"
    into_junk = replace(job, deliveries=(replace(job.deliveries[0], folder=JUNK),))
    attempt = await here.deliverer.at_once(into_junk)
    assert attempt is not None, "what goes into Junk anyway is not judged"


async def test_teaching_is_heard_of_after_a_while() -> None:
    here = await world()
    assert where(await here.deposit(await here.job(PILLS))) == [INBOX]
    await here.teach(SETTINGS.min_messages)
    here.clock.at += REMEMBER_SECONDS
    assert where(await here.deposit(await here.job(PILLS))) != [INBOX]


async def test_each_recipient_by_what_that_one_taught() -> None:
    here = await world()
    await commit(here.store, AccountAdded(1.0, Account(8, BOB, "h", 78)))
    await here.teach(SETTINGS.min_messages)
    job = await here.job(PILLS, ANN, BOB)
    mailboxes = (INBOX, 78)
    deliveries = tuple(
        replace(each, mailbox=mailbox)
        for each, mailbox in zip(job.deliveries, mailboxes, strict=True)
    )
    attempt = await here.deposit(replace(job, deliveries=deliveries))
    assert where(attempt)[1] == 78
    assert where(attempt)[0] not in mailboxes
    assert here.content.reads == 1


async def test_what_cannot_be_judged_waits() -> None:
    here = await world()
    await here.teach(SETTINGS.min_messages)
    for error in (StorageError("no disk"), RuntimeError("a mistake of ours")):
        here.content.error = error
        attempt = await here.deposit(await here.job(PILLS))
        ((_, outcome),) = attempt.outcomes
        assert isinstance(outcome, TemporaryFailure)
        assert str(outcome.reply).startswith("451 4.3.0")
        assert attempt.changes == ()


def test_words_for_the_journey() -> None:
    junk = JunkFilter(store=None, content=None, settings=JunkSettings(threshold=0.8))  # type: ignore[arg-type]
    clues = tuple(Clue(f"w\x1b{number}", 0.9) for number in range(9))
    text = junk.in_words(Judgement(0.85, clues), 0.0012)
    assert text.startswith("junk: quarantine (1.2 ms): 0.850 of 0.8; words of junk: w?0 0.90, ")
    assert text.count("0.90") == TOLD_CLUES
    assert junk.in_words(Judgement(0.5), 0.0) == "junk: accept (0.0 ms): 0.500 of 0.8"
