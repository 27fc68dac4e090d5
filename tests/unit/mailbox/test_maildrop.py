import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from postroad.mailbox import EntryGone, MailboxGone, MailboxInUse, Maildrop, ReadAhead
from postroad.model import ContentRef, Expunged, Group
from postroad.ports import AtHand, StorageError
from tests.unit.mailbox.fakes import PREFIX, FakeMailboxes
from tests.unit.service.fakes import FakeClock

T = TypeVar("T")
INBOX = 101


async def opened(fake: FakeMailboxes, bounds: ReadAhead | None = None) -> Maildrop:
    return await Maildrop.open(
        INBOX,
        store=fake,
        content=fake,
        locks=fake,
        ledger=fake,
        clock=FakeClock(),
        read_ahead=bounds,
    )


@dataclass
class Reader:
    """Reads as a session does: what came along with a message is kept until something else is read."""

    drop: Maildrop
    kept: dict[int, AtHand] = field(default_factory=dict)

    async def read(self, index: int) -> bytes:
        if index not in self.kept:
            self.kept = await self.drop.read_ahead(index)
        _, prefix, content, _ = self.kept.pop(index)
        return prefix + content

    async def read_pieces(self, index: int) -> bytes:
        data = b""
        while len(data) < self.drop.size(index):
            piece = await self.drop.read_piece(index, len(data))
            assert 0 < len(piece) <= self.drop._bounds.piece_octets
            data += piece
        return data


def run(work: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        return await work()

    return asyncio.run(main())


def message(number: int, octets: int = 100) -> bytes:
    return (b"Subject: %05d\r\n\r\n" % number).ljust(octets - 2, b".") + b"\r\n"


@pytest.mark.parametrize("in_files", [False, True])
def test_what_is_read_is_prefix_and_content_of_the_size_that_was_told(in_files: bool) -> None:
    fake = FakeMailboxes([message(n, 100 + n) for n in range(200)], in_files=in_files)

    async def work() -> None:
        drop = await opened(fake)
        reader = Reader(drop)
        for index in range(200):
            data = await reader.read(index)
            assert data == PREFIX + message(index, 100 + index)
            assert len(data) == drop.size(index) == drop.listing.sizes[index]

    run(work)


@pytest.mark.parametrize("in_files", [False, True])
def test_reading_in_order_asks_the_store_seldom(in_files: bool) -> None:
    fake = FakeMailboxes([message(n) for n in range(1000)], in_files=in_files)

    async def work() -> None:
        reader = Reader(await opened(fake))
        for index in range(1000):
            await reader.read(index)

    run(work)
    assert len(fake.asked) <= 20
    assert max(map(len, fake.asked)) <= ReadAhead().entries
    assert sum(map(len, fake.asked)) == 1000


def test_reading_here_and_there_reads_nothing_ahead() -> None:
    fake = FakeMailboxes([message(n) for n in range(100)])

    async def work() -> None:
        reader = Reader(await opened(fake))
        for index in (50, 10, 90, 3, 50, 50):
            assert await reader.read(index) == PREFIX + message(index)

    run(work)
    assert sum(map(len, fake.asked)) == 6


def test_what_is_read_ahead_is_bounded_in_octets() -> None:
    fake = FakeMailboxes([message(n, 1000) for n in range(100)])

    async def work() -> None:
        reader = Reader(await opened(fake, ReadAhead(octets=5000, entries=64, piece_octets=2000)))
        for index in range(100):
            await reader.read(index)

    run(work)
    assert max(map(len, fake.asked)) * (1000 + len(PREFIX)) <= 5000


def test_large_messages_are_not_read_ahead_and_do_not_break_the_order() -> None:
    sizes = (100, 100, 5000, 100, 100, 5000, 100, 100)
    fake = FakeMailboxes([message(n, size) for n, size in enumerate(sizes)])

    async def work() -> None:
        drop = await opened(fake, ReadAhead(piece_octets=1000))
        reader = Reader(drop)
        for index, size in enumerate(sizes):
            assert drop.is_large(index) == (size == 5000)
            read = reader.read_pieces if drop.is_large(index) else reader.read
            assert await read(index) == PREFIX + message(index, size)

    run(work)
    assert fake.asked == [[1, 2, 4], [3], [5, 7, 8], [6]]


@pytest.mark.parametrize("piece", [1, 7, len(PREFIX), len(PREFIX) + 1, 64])
def test_large_messages_come_in_pieces(piece: int) -> None:
    fake = FakeMailboxes([message(1), message(2, 500), message(3)])

    async def work() -> None:
        reader = Reader(await opened(fake, ReadAhead(piece_octets=piece)))
        assert await reader.read_pieces(1) == PREFIX + message(2, 500)

    run(work)
    assert len(fake.asked) == 1


@pytest.mark.parametrize("in_files", [False, True])
@pytest.mark.parametrize("plain", [False, True])
def test_what_is_plain_is_said(in_files: bool, plain: bool) -> None:
    fake = FakeMailboxes([message(n) for n in range(4)], in_files=in_files)
    fake.plain = plain

    async def work() -> None:
        ahead = await (await opened(fake)).read_ahead(0)
        assert [each[3] for each in ahead.values()] == [plain] * 4

    run(work)


def test_one_session_at_a_time() -> None:
    fake = FakeMailboxes([message(1)])

    async def work() -> None:
        first = await opened(fake)
        with pytest.raises(MailboxInUse):
            await opened(fake)
        first.close()
        first.close()
        (await opened(fake)).close()

    run(work)
    assert fake.locked == set()


@pytest.mark.parametrize(("broken", "error"), [("listing", StorageError), ("", MailboxGone)])
def test_a_mailbox_that_cannot_be_opened_is_not_locked(broken: str, error: type[Exception]) -> None:
    fake = FakeMailboxes()
    if broken:
        fake.broken.add(broken)
    else:
        fake.known.clear()

    async def work() -> None:
        with pytest.raises(error):
            await opened(fake)

    run(work)
    assert fake.locked == set()


def test_commit_deletes_in_one_change_and_lets_go() -> None:
    fake = FakeMailboxes([message(n) for n in range(5)])

    async def work() -> None:
        drop = await opened(fake)
        await drop.commit([1, 3])

    run(work)
    assert fake.committed == [Group((Expunged(at=1000.0, mailbox=INBOX, uids=(2, 4)),))]
    assert list(fake.kept[INBOX]) == [1, 3, 5]
    assert fake.locked == set()


def test_nothing_to_delete_writes_nothing() -> None:
    fake = FakeMailboxes([message(1)])

    async def work() -> None:
        drop = await opened(fake)
        await drop.commit([])

    run(work)
    assert (fake.committed, fake.locked) == ([], set())


def test_a_commit_that_fails_lets_go_all_the_same() -> None:
    fake = FakeMailboxes([message(1)])
    fake.broken.add("commit")

    async def work() -> None:
        drop = await opened(fake)
        with pytest.raises(StorageError):
            await drop.commit([0])

    run(work)
    assert list(fake.kept[INBOX]) == [1]
    assert fake.locked == set()


def test_an_entry_that_is_gone_fails_alone() -> None:
    fake = FakeMailboxes([message(n) for n in range(4)])

    async def work() -> None:
        reader = Reader(await opened(fake))
        del fake.kept[INBOX][3]
        assert await reader.read(0) == PREFIX + message(0)
        assert await reader.read(1) == PREFIX + message(1)
        with pytest.raises(EntryGone):
            await reader.read(2)
        assert await reader.read(3) == PREFIX + message(3)

    run(work)


@pytest.mark.parametrize("asked", [0, 1])
def test_a_message_of_another_size_than_was_told_is_an_error(asked: int) -> None:
    fake = FakeMailboxes([message(n) for n in range(4)])

    async def work() -> None:
        reader = Reader(await opened(fake))
        fake.kept[INBOX][2] = message(1, 99)
        for index in range(asked, 4):
            if index == 1:
                with pytest.raises(EntryGone):
                    await reader.read(index)
            else:
                assert await reader.read(index) == PREFIX + message(index)

    run(work)


@pytest.mark.parametrize("bounds", [ReadAhead(), ReadAhead(piece_octets=10)])
def test_a_content_that_fails_or_is_cut_short_is_an_error(bounds: ReadAhead) -> None:
    fake = FakeMailboxes([message(n) for n in range(3)])
    fake.broken |= {"content 1", "cut 2"}

    async def work() -> None:
        drop = await opened(fake, bounds)
        reader = Reader(drop)
        read = reader.read_pieces if drop.is_large(0) else reader.read
        with pytest.raises(StorageError, match="content 1 is broken"):
            await read(0)
        with pytest.raises(EntryGone):
            await read(1)
        assert await read(2) == PREFIX + message(2)

    run(work)


def test_contents_that_wait_are_read_at_the_same_time() -> None:
    class Slow(FakeMailboxes):
        reading = most = 0

        async def read(self, ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
            self.reading += 1
            self.most = max(self.most, self.reading)
            await asyncio.sleep(0.001)
            self.reading -= 1
            return await super().read(ref, offset, limit)

    fake = Slow([message(n) for n in range(200)], in_files=True)

    async def work() -> None:
        reader = Reader(await opened(fake))
        for index in range(200):
            assert await reader.read(index) == PREFIX + message(index)

    run(work)
    assert fake.most == ReadAhead().entries
