"""A restore checks all, overwrites nothing, and goes on where it was cut off."""

import os
from pathlib import Path

import pytest

from postroad.ports import StorageError
from postroad.storage.backup.restore import AlreadyStored, restore_backup
from postroad.storage.sqlite.store import SqliteStore
from tests.unit.storage.backup.test_make import BIG, backed_up, data, quiet

__all__ = ["data"]


@pytest.fixture(params=["backup", "backup.tar"])
async def backup(data: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path: Path = tmp_path / request.param
    await backed_up(data, path)
    return path


async def test_all_is_there_and_ours_alone(backup: Path, tmp_path: Path) -> None:
    target = tmp_path / "new"
    restore_backup(backup, target, quiet)
    assert (target / "keys" / "here.test.key").read_text() == "secret"
    for path in (target, *target.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
    store = await SqliteStore.open(target)
    message = await store.queue.message(222)
    assert message is not None
    assert await store.content.read(message.content) == BIG + b"222"
    await store.close()


def test_nothing_is_overwritten(backup: Path, data: Path, tmp_path: Path) -> None:
    there = (data / "postroad.db").read_bytes()
    with pytest.raises(AlreadyStored, match="overwrites nothing"):
        restore_backup(backup, data, quiet)
    assert (data / "postroad.db").read_bytes() == there
    (data / "postroad.db").unlink()
    with pytest.raises(AlreadyStored, match="contents of another store"):
        restore_backup(backup, data, quiet)
    ours = tmp_path / "ours" / "keys"
    ours.mkdir(parents=True)
    (ours / "here.test.key").write_text("a newer one")
    restore_backup(backup, ours.parent, quiet)
    assert (ours / "here.test.key").read_text() == "a newer one"


def test_a_restore_that_was_cut_off_goes_on(backup: Path, tmp_path: Path) -> None:
    class Cut(Exception):
        pass

    def cut(what: str, done: int, total: int) -> None:
        if what == "contents":
            raise Cut

    target = tmp_path / "new"
    with pytest.raises(Cut):
        restore_backup(backup, target, cut)
    assert not (target / "postroad.db").exists()
    (first,) = (target / "content").glob("*/*")
    inode = first.stat().st_ino
    restore_backup(backup, target, quiet)
    assert (target / "postroad.db").exists()
    assert first.stat().st_ino == inode, "it was there already"


@pytest.mark.parametrize("what", ["content", "database", "beside"])
def test_damage_is_found(backup: Path, tmp_path: Path, what: str) -> None:
    if backup.is_dir():
        pattern = {"content": "content/*/*", "database": "*.db", "beside": "beside/keys/*"}[what]
        path = next(backup.glob(pattern))
        at = path.stat().st_size // 2
    else:
        path = backup
        needle = {"content": BIG[:200], "database": b"CREATE TABLE", "beside": b"secret"}[what]
        at = backup.read_bytes().index(needle)
    with path.open("r+b") as file:
        was = os.pread(file.fileno(), 1, at)
        os.pwrite(file.fileno(), bytes([was[0] ^ 1]), at)
    with pytest.raises(StorageError, match="damaged"):
        restore_backup(backup, tmp_path / "new", quiet)
    assert not (tmp_path / "new" / "postroad.db").exists()


def test_what_is_no_backup(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x" * 5000)
    with pytest.raises(StorageError, match="no backup"):
        restore_backup(tmp_path / "file", tmp_path / "new", quiet)
    with pytest.raises(StorageError, match="no backup"):
        restore_backup(tmp_path, tmp_path / "new", quiet)


def test_names_that_lead_out_are_refused(data: Path, backup: Path, tmp_path: Path) -> None:
    if not backup.is_dir():
        return
    manifest = backup / "manifest.json"
    manifest.write_text(manifest.read_text().replace("beside/keys/", "beside/../../"))
    with pytest.raises(StorageError, match="outside"):
        restore_backup(backup, tmp_path / "new", quiet)
