"""Backups made under load are whole, and come back elsewhere as they were."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from postroad.model import DeliveryState, format_id
from postroad.ports import QueueFilter, StorageError
from postroad.storage.backup.check import verify_backup
from postroad.storage.backup.make import Made, make_backup
from postroad.storage.backup.restore import restore_backup
from postroad.storage.files import FileContents
from postroad.storage.keeping import keep_contents
from postroad.storage.sql.verify import verify
from postroad.storage.sqlite.soundness import ENGINE
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.stores import FAR, INBOX, INLINE_MAX, accept, attempted, commit, result
from tests.unit.storage.backup.busy_writer import bytes_of

ROOT = Path(__file__).resolve().parents[4]
BIG = b"0123456789abcde\n" * 1000


def quiet(what: str, done: int, total: int) -> None:
    assert 0 <= done <= total


async def backed_up(data: Path, target: Path) -> Made:
    large = FileContents(data)
    try:
        return await make_backup(data, large, target, quiet)
    finally:
        large.close()


@contextmanager
def load(data: Path) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.storage.backup.busy_writer", str(data)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        os.set_blocking(process.stdout.fileno(), False)
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


def acknowledged(process: "subprocess.Popen[bytes]", least: int) -> set[int]:
    """Wait until so many more messages were acknowledged; return them."""
    assert process.stdout is not None
    found: set[int] = set()
    ends_at = time.monotonic() + 60
    rest = b""
    while len(found) < least:
        assert time.monotonic() < ends_at
        assert process.poll() is None
        *lines, rest = (rest + (process.stdout.read() or b"")).split(b"\n")
        found.update(map(int, lines))
        time.sleep(0.01)
    while not rest.endswith(b"\n") and rest:  # the end of a line that is cut
        rest += process.stdout.read(1) or b""
    return found | ({int(rest)} if rest else set())


@pytest.mark.parametrize("name", ["backup", "backup.tar"])
async def test_under_load_and_restored_elsewhere(tmp_path: Path, name: str) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere" / "data"
    with load(data) as process:
        before = acknowledged(process, 300)
        made = await backed_up(data, tmp_path / name)
        acknowledged(process, 50)  # it went on meanwhile
    report = await verify_backup(tmp_path / name, quiet)
    assert report.problems == []
    assert report.checked["large contents"] == made.manifest.counts["large_contents"] > 50
    assert restore_backup(tmp_path / name, elsewhere, quiet) == made.manifest
    source = await SqliteStore.open(data, inline_max_octets=INLINE_MAX)
    copy = await SqliteStore.open(elsewhere, inline_max_octets=INLINE_MAX)
    try:
        assert (await verify(copy.database.reader, copy.large.read, quiet, ENGINE)).problems == []
        assert copy.node == source.node
        assert copy.secret == source.secret
        await compare(source, copy, before, made.manifest.counts)
    finally:
        await source.close()
        await copy.close()


async def compare(
    source: SqliteStore, copy: SqliteStore, before: set[int], counts: dict[str, int]
) -> None:
    """Counts, journeys and bytes."""
    items = await copy.queue.find(QueueFilter(states=tuple(DeliveryState), limit=10**9))
    messages = {item.message.id: item.message for item in items}
    assert len(items) == counts["deliveries"]
    assert len(messages) == counts["messages"]
    assert before <= messages.keys(), "acknowledged before the backup, and not in it"
    listing = await copy.mailboxes.listing(INBOX)
    assert listing is not None
    assert len(listing.uids) == counts["entries"]
    states = {item.message.id: item.delivery.state for item in items}
    ended = 0
    for number, message in messages.items():
        journey = await copy.journey.events(number)
        assert journey == (await source.journey.events(number))[: len(journey)]
        assert journey[0].change.message.id == number  # type: ignore[union-attr]
        if number % 5 and states[number] is DeliveryState.DELIVERED:
            ended += 1
            with pytest.raises(StorageError, match="gone"):
                await copy.content.read(message.content)
        else:
            assert await copy.content.read(message.content) == bytes_of(number)
    assert ended > 50


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data directory with two large messages and a key."""
    path = tmp_path / "data"
    store = await SqliteStore.open(path, inline_max_octets=INLINE_MAX)
    for number in (111, 222):
        await accept(store, FAR, message=number, data=BIG + b"%d" % number)
    await store.close()
    (path / "keys").mkdir()
    (path / "keys" / "here.test.key").write_text("secret")
    (path / "server.lock").write_text("1")
    return path


async def test_a_second_backup_copies_only_what_is_new(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    first = await backed_up(data, target)
    assert (first.copied_contents, first.kept_contents) == (2, 0)
    store = await SqliteStore.open(data, inline_max_octets=INLINE_MAX)
    await accept(store, FAR, message=333, data=BIG)
    gone = await store.queue.message(111)
    assert gone is not None
    await commit(store, attempted(gone, result()))
    await store.close()
    second = await backed_up(data, target)
    assert (second.copied_contents, second.kept_contents) == (1, 1)
    assert {each.name for each in target.glob("content/??/*")} == {format_id(222), format_id(333)}
    assert [each.name for each in target.glob("*.db*")] == [second.manifest.database]
    assert (await verify_backup(target, quiet)).problems == []
    content = target / f"content/{format_id(222)[-2:].lower()}/{format_id(222)}"
    assert content.read_bytes() == BIG + b"222"
    assert (target / "beside/keys/here.test.key").read_text() == "secret"
    assert not (target / "beside/server.lock").exists()


async def test_a_backup_that_was_cut_off_goes_on(data: Path, tmp_path: Path) -> None:
    class Full(Exception):
        pass

    def full(what: str, done: int, total: int) -> None:
        if what == "contents":
            raise Full

    target = tmp_path / "backup"
    large = FileContents(data)
    with pytest.raises(Full):
        await make_backup(data, large, target, full)
    large.close()
    with pytest.raises(StorageError, match="cut off"):
        await verify_backup(target, quiet)
    assert (await backed_up(data, target)).kept_contents == 1
    assert (await verify_backup(target, quiet)).sound


async def test_an_earlier_backup_stays_whole_until_the_next_is(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    first = await backed_up(data, target)
    for path in (data / "content").glob("*/*"):
        path.write_bytes(b"x" + path.read_bytes()[1:-1] + b"x")
    shutil.rmtree(target / "content")
    with pytest.raises(StorageError, match=r"damaged.*verify-data"):
        await backed_up(data, target)
    assert (target / first.manifest.database).exists()
    assert (target / "manifest.json").exists()


async def test_what_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing to back up"):
        await backed_up(tmp_path, tmp_path / "backup")
    with pytest.raises(StorageError, match="inside"):
        await backed_up(data, data / "backup")
    other = tmp_path / "other"
    await (await SqliteStore.open(other)).close()
    await backed_up(other, tmp_path / "backup")
    with pytest.raises(StorageError, match="another data directory"):
        await backed_up(data, tmp_path / "backup")
    assert (await verify_backup(tmp_path / "backup", quiet)).sound


async def test_one_backup_at_a_time(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroad.storage.keeping.WAIT_SECONDS", 0.05)
    with keep_contents(data), pytest.raises(StorageError, match="another backup"):
        await backed_up(data, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
