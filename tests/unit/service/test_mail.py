"""Listing and moving the mail of an account."""

import pytest

from postroad.model import Address, Moved
from postroad.service.errors import Refused
from postroad.service.mail import MOVE_AT_ONCE, MessageSummary
from tests.contracts.stores import ANN
from tests.unit.service.mailboxes import listed, mail_of, store_with

LETTER = (
    b"From: =?utf-8?q?J=C3=B8rn?= <j@far.example>, <k@far.example>\r\nSubject: =?utf-8?q?H=C3=A9?=\r\n"
    b" there\r\nDate: Wed, 25 Nov 2026 12:00:00 +0000\r\n\r\nbody\r\n"
)


async def test_messages_are_listed_newest_first() -> None:
    store, _ = await store_with(LETTER, b"\r\nno header\r\n")
    mail = mail_of(store)
    second, first = await mail.messages(ANN)
    assert first == MessageSummary(
        uid=1,
        size=len(LETTER) + len(b"Return-Path: <>\r\n"),
        deposited_at=111.0,
        subject="Hé there",
        author="Jørn <j@far.example>, k@far.example",
        date="Wed, 25 Nov 2026 12:00:00 +0000",
    )
    assert (second.uid, second.subject, second.author) == (2, "", "")
    assert [each.uid for each in await mail.messages(ANN, "inbox", limit=1)] == [2]
    assert await mail.messages(ANN, limit=0) == []


async def test_moving_there_and_back() -> None:
    store, messages = await store_with(LETTER, LETTER, LETTER)
    mail = mail_of(store)
    assert await listed(mail) == {"INBOX": 3}
    assert await mail.move(ANN, [3, 1, 3, 99], source="INBOX", into="junk", by="me") == 2
    assert await listed(mail) == {"INBOX": 1, "Junk": 2}
    assert await mail.move(ANN, [1], source="Junk", into="Inbox", by="me") == 1
    assert await listed(mail) == {"INBOX": 2, "Junk": 1}
    told = [event.change for event in await store.journey.events(messages[2].id)]
    moves = [change for change in told if isinstance(change, Moved)]
    assert [(move.from_name, move.into_name, move.by) for move in moves] == [
        ("INBOX", "Junk", "me"),
        ("Junk", "INBOX", "me"),
    ]


async def test_many_at_once() -> None:
    count = 2 * MOVE_AT_ONCE + 1
    store, _ = await store_with(*[b"x"] * count)
    mail = mail_of(store)
    uids = range(1, count + 1)
    assert await mail.move(ANN, uids, source="INBOX", into="Lists/python", by="me") == count
    assert await listed(mail) == {"INBOX": 0, "Lists/python": count}


async def test_what_is_refused() -> None:
    store, _ = await store_with(LETTER)
    mail = mail_of(store)
    nobody = Address.parse("nobody@example.org")
    with pytest.raises(Refused, match="no account"):
        await mail.mailboxes(nobody)
    with pytest.raises(Refused, match="no mailbox Archive"):
        await mail.messages(ANN, "Archive")
    with pytest.raises(Refused, match="in INBOX already"):
        await mail.move(ANN, [1], source="INBOX", into="inbox", by="me")
    with pytest.raises(Refused, match="has no message 7, 8"):
        await mail.move(ANN, [7, 8], source="INBOX", into="Junk", by="me")
    for name in ("", "../x", "a//b", "x" * 201, "a\nb", "a\0b", "*", "a/", " a"):
        with pytest.raises(Refused, match="mailbox"):
            await mail.move(ANN, [1], source="INBOX", into=name, by="me")
    assert await listed(mail) == {"INBOX": 1}
