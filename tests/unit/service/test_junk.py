"""Teaching an account what is junk, by moving mail and by messages."""

import pytest

from postroad.mailbox.junk import JunkSettings
from postroad.model import Address, JunkTotals
from postroad.service.errors import Refused
from postroad.service.junk import JunkDesk
from postroad.service.mail import Mail
from postroad.storage.memory import MemoryStore
from tests.contracts.stores import ANN
from tests.unit.service.fakes import FakeClock
from tests.unit.service.mailboxes import listed, mail_of, store_with

ANN_ID = 7
PILLS = b"Subject: pills\r\n\r\ncheap pills\r\n"
LUNCH = b"Subject: lunch\r\n\r\nlunch tomorrow\r\n"


def desk_of(store: MemoryStore, settings: JunkSettings = JunkSettings(min_messages=1)) -> JunkDesk:  # noqa: B008
    return JunkDesk(
        ledger=store.ledger,
        directory=store.directory,
        mailboxes=store.mailboxes,
        content=store.content,
        store=store.junk,
        clock=FakeClock(),
        settings=settings,
    )


async def scene(*letters: bytes) -> tuple[MemoryStore, Mail, JunkDesk]:
    store, _ = await store_with(*letters)
    desk = desk_of(store)
    return store, mail_of(store, desk), desk


async def totals(store: MemoryStore) -> tuple[int, int]:
    found = await store.junk.totals(ANN_ID)
    return found.spam, found.ham


async def move(mail: Mail, uid: int, source: str, into: str) -> None:
    await mail.move(ANN, [uid], source=source, into=into, by="me")


async def test_moving_into_junk_and_back_leaves_nothing() -> None:
    store, mail, _ = await scene(PILLS)
    await move(mail, 1, "INBOX", "Junk")
    assert await totals(store) == (1, 0)
    await move(mail, 1, "Junk", "INBOX")
    assert await store.junk.totals(ANN_ID) == JunkTotals()
    await move(mail, 2, "INBOX", "Junk")
    assert await totals(store) == (1, 0)


async def test_what_the_filter_put_into_junk_teaches_when_it_is_taken_out() -> None:
    store, mail, _ = await scene(PILLS, LUNCH)
    await mail_of(store).move(ANN, [1, 2], source="INBOX", into="Junk", by="filter")
    assert await totals(store) == (0, 0)
    await move(mail, 2, "Junk", "INBOX")
    assert await totals(store) == (0, 1)
    await move(mail, 3, "INBOX", "Junk")
    assert await totals(store) == (0, 0), "taken back"


async def test_what_teaches_nothing() -> None:
    store, mail, _ = await scene(PILLS, PILLS)
    await move(mail, 1, "INBOX", "Archive")
    await mail_of(store).move(ANN, [2], source="INBOX", into="Junk", by="filter")
    await move(mail, 1, "Junk", "Trash")
    assert await totals(store) == (0, 0)
    assert await listed(mail) == {"INBOX": 0, "Archive": 1, "Junk": 0, "Trash": 1}


async def test_the_same_message_teaches_once() -> None:
    store, mail, desk = await scene(PILLS, PILLS, PILLS)
    await mail.move(ANN, [1, 2], source="INBOX", into="Junk", by="me")
    assert await totals(store) == (1, 0)
    assert await desk.learn(ANN, [PILLS], spam=True) == 0
    assert await desk.learn(ANN, [PILLS, LUNCH], spam=False) == 2
    assert await totals(store) == (0, 2), "said outright, it is learned anew"
    assert await desk.learn_mailbox(ANN, "inbox", spam=True) == 1
    assert await totals(store) == (1, 1)


async def test_report() -> None:
    store, _, desk = await scene()
    report = await desk.report(ANN)
    assert (report.active, report.spam_words) == (False, ())
    await desk.learn(ANN, [PILLS + b"%d" % n for n in range(45)], spam=True)
    await desk.learn(ANN, [LUNCH + b"%d" % n for n in range(5)], spam=False)
    report = await desk.report(ANN, words=2)
    assert (report.totals.spam, report.totals.ham, report.active) == (45, 5, True)
    assert {word.token for word in report.spam_words} <= {"cheap", "pills", "subject:pills"}
    assert {word.token for word in report.ham_words} <= {"lunch", "tomorrow", "subject:lunch"}
    assert report.spam_words[0].probability > 0.98
    assert await desk_of(store, JunkSettings(min_messages=6)).report(ANN) != report
    assert not (await desk_of(store, JunkSettings(min_messages=6)).report(ANN)).active


async def test_bounds_are_those_of_the_settings() -> None:
    store, _, _ = await scene()
    desk = desk_of(store, JunkSettings(max_tokens=4, max_lessons=2, message_tokens=3))
    for number in range(5):
        await desk.learn(
            ANN, [b"\r\n" + b" ".join(b"w%d%d" % (number, n) for n in range(9))], spam=True
        )
    found = await store.junk.totals(ANN_ID)
    assert (found.spam, found.tokens) == (5, 4)
    assert len(store.state.junk_lessons) == 2


async def test_nobody_and_nowhere() -> None:
    _, _, desk = await scene()
    nobody = Address.parse("nobody@example.org")
    with pytest.raises(Refused, match="no account"):
        await desk.learn(nobody, [PILLS], spam=True)
    with pytest.raises(Refused, match="no account"):
        await desk.report(nobody)
    with pytest.raises(Refused, match="no mailbox"):
        await desk.learn_mailbox(ANN, "Archive", spam=True)
