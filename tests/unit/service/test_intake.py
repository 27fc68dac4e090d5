"""What is left of a message that could not be acknowledged."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from postroad.model import Address, Envelope, Origin, Recipient, ServerKind
from postroad.network import SystemClock, SystemEntropy
from postroad.policy import Policy
from postroad.ports import Conflict, SigningFailed, StorageError, StorageFull
from postroad.service.intake import Incoming, Intake, IntakeSettings
from postroad.service.recipients import Accepted, Target
from postroad.storage.sqlite.store import SqliteStore

FAR = Address.parse("fay@far.test")


class FakeQueue:
    """A queue whose commit comes to what the test says."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.waits = False
        self.began = asyncio.Event()
        self.accepted: tuple[Any, ...] = ()

    async def accept(self, *accepted: Any) -> None:
        self.began.set()
        self.accepted = accepted
        if self.waits:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "data", inline_max_octets=10)
    yield opened
    await opened.close()


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


class FakeSigning:
    """Signs all, as a `Signing` and as what it returns."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.body = b""
        self.head = b""

    def begin(
        self, origin: Origin, envelope: Envelope, head: bytes, added: bytes, domain: str = ""
    ) -> "FakeSigning":
        self.head = added + head
        return self

    def write(self, chunk: bytes) -> None:
        self.body += chunk

    async def finish(self) -> tuple[bytes, str]:
        if self.error is not None:
            raise self.error
        return b"DKIM-Signature: x\r\n", "signed by s of us.test"


@pytest.fixture
def incoming(store: SqliteStore, queue: FakeQueue) -> Incoming:
    return begin(store, queue)


def begin(store: SqliteStore, queue: FakeQueue, signing: Any = None) -> Incoming:
    recipients: Any = None
    intake = Intake(
        queue=queue,  # type: ignore[arg-type]
        content=store.content,
        recipients=recipients,
        clock=SystemClock(),
        entropy=SystemEntropy(),
        policy=Policy(()),
        settings=IntakeSettings("mx.us.test"),
        signing=signing,
    )
    accepted = Accepted(Recipient(FAR), (Target(FAR, FAR, FAR.domain, None),))
    begun = intake.begin(Envelope(None, (Recipient(FAR),)), [accepted], Origin(ServerKind.MX))
    begun.write(b"Subject: x\r\n\r\n" + b"large\r\n" * 100)
    return begun


def files(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.glob("data/content/*/*") if path.is_file()]


@pytest.mark.parametrize(
    ("error", "code", "kept"),
    [
        (None, 250, 1),
        (StorageFull("full"), 452, 0),
        (Conflict("twice"), 451, 0),
        # The sync failed: after a crash the commit may be found whole all the same.
        (StorageError("I/O error"), 451, 1),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_bytes_stay_where_the_commit_may_have_happened(
    tmp_path: Path,
    queue: FakeQueue,
    incoming: Incoming,
    error: Exception | None,
    code: int,
    kept: int,
) -> None:
    queue.error = error
    assert (await incoming.finish()).code == code
    incoming.discard()
    assert len(files(tmp_path)) == kept


async def test_bytes_stay_where_nobody_waits_for_the_commit(
    tmp_path: Path, queue: FakeQueue, incoming: Incoming
) -> None:
    queue.waits = True
    task = asyncio.create_task(incoming.finish())
    await queue.began.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    incoming.discard()
    assert len(files(tmp_path)) == 1


async def test_nothing_stays_of_what_was_never_handed_over(
    tmp_path: Path, incoming: Incoming
) -> None:
    incoming.discard()
    assert files(tmp_path) == []


async def test_signatures_stand_on_top_and_in_the_journey(
    tmp_path: Path, store: SqliteStore, queue: FakeQueue
) -> None:
    signing = FakeSigning()
    incoming = begin(store, queue, signing)
    incoming.write(b"more\r\n")
    assert (await incoming.finish()).code == 250
    assert (signing.head, signing.body) == (
        b"Subject: x\r\n\r\n",
        b"large\r\n" * 100 + b"more\r\n",
    )
    *_, (ruling,), first = queue.accepted
    assert first == ()
    assert (ruling.check, ruling.reason) == ("sign", "signed by s of us.test")
    (file,) = files(tmp_path)
    written = file.read_bytes().lstrip(b"\0")  # room is left for what is put on top
    assert written.startswith(b"DKIM-Signature: x\r\nReceived: ")


async def test_what_cannot_be_signed_is_deferred_and_leaves_nothing(
    tmp_path: Path, store: SqliteStore, queue: FakeQueue
) -> None:
    incoming = begin(store, queue, FakeSigning(SigningFailed("no process")))
    reply = await incoming.finish()
    assert (reply.code, reply.enhanced) == (451, "4.3.0")
    assert not queue.began.is_set()
    assert files(tmp_path) == []
