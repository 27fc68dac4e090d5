"""Copies of a mailing: each with trace fields and a signature; nothing is left of what failed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from postroad.model import Address, Envelope, Origin, Recipient, ServerKind
from postroad.network import SystemClock
from postroad.ports import SigningFailed
from postroad.service.press import Press
from postroad.service.recipients import Accepted, Target
from postroad.storage.memory import MemoryStore
from postroad.storage.sqlite.store import SqliteStore
from tests.unit.service.test_intake import FakeSigning
from tests.unit.service.test_mailing import mailing

FAR = Address("fay", "far.test")
TO = Accepted(Recipient(FAR), (Target(FAR, FAR, FAR.domain, None),))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "data", inline_max_octets=10)
    yield opened
    await opened.close()


def press(store: SqliteStore | MemoryStore, signing: Any = None) -> Press:
    return Press(
        mailing(),
        content=store.content,
        signing=signing,
        clock=SystemClock(),
        origin=Origin(ServerKind.SUBMISSION),
        envelope=Envelope(Address("news", "us.test"), (Recipient(FAR),)),
        hostname="mx.us.test",
        domain="",
        added=b"Date: today\r\n",
        above=b"X-Check: passed\r\n",
        at=1_795_600_000.0,
    )


def files(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.glob("data/content/*/*") if path.is_file()]


@pytest.mark.parametrize("count", [1, 3])
async def test_what_a_copy_is_made_of(count: int) -> None:
    signing = FakeSigning()
    made = press(MemoryStore(), signing)
    staged, rulings = await made.stage(8, TO, (count, count, 7))
    data = staged.data
    assert data is not None
    names = [line.partition(b":")[0] for line in data.split(b"\r\n\r\n")[0].split(b"\r\n")]
    assert [name.decode() for name in names if not name.startswith((b"\t", b" "))] == [
        "X-Check",
        "DKIM-Signature",
        "Received",
        "Date",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "Subject",
        "Content-Type",
    ]
    assert b"for <fay@far.test>" in data
    # Signed as it is sent, with the fields that were added.
    assert data.endswith(signing.head.removeprefix(b"Date: today\r\n") + signing.body)
    assert signing.head.startswith(b"Date: today\r\nList-Unsubscribe: ")
    assert [each.check for each in rulings] == ["stream", "sign"]
    assert ("copy 3 of 3" in rulings[0].reason) == (count == 3)


async def test_nothing_stays_where_a_copy_cannot_be_signed(
    store: SqliteStore, tmp_path: Path
) -> None:
    signing = FakeSigning()
    made = press(store, signing)
    await made.stage(8, TO, (1, 2, 8))
    assert len(files(tmp_path)) == 1
    signing.error = SigningFailed("no key")
    with pytest.raises(SigningFailed):
        await made.stage(9, TO, (2, 2, 8))
    made.mailing.discard()
    assert files(tmp_path) == []
