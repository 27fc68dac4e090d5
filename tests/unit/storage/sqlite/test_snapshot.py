"""A copy shows one moment, however much is written meanwhile."""

from pathlib import Path

import apsw
import pytest

from postroad.ports import StorageError
from postroad.storage.sqlite import snapshot
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.stores import FAR, accept


async def test_what_is_committed_meanwhile_is_not_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "STEP_PAGES", 5)
    store = await SqliteStore.open(tmp_path / "data")
    for _ in range(50):
        await accept(store, FAR, data=bytes(3000))
    source = store.database.path
    writer = apsw.Connection(str(source))
    steps = []

    def told(done: int, total: int) -> None:
        steps.append((done, total))
        writer.execute("INSERT INTO setting VALUES (?, '')", (f"step {len(steps)}",)).fetchall()

    snapshot.copy_database(source, tmp_path / "copy #1?.db", told)
    writer.close()
    assert len(steps) > 5
    assert steps[-1][0] == steps[-1][1]
    copy = snapshot.open_snapshot(tmp_path / "copy #1?.db")
    assert snapshot.counts(copy)["messages"] == 50
    assert copy.execute("SELECT count(*) FROM setting WHERE name LIKE 'step%'").get == 0
    assert copy.execute("PRAGMA integrity_check").get == "ok"
    assert snapshot.node_of(copy) == store.node
    copy.close()
    await store.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy #1?.db", "data"]


def test_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("x" * 5000)
    with pytest.raises(StorageError, match="damaged"):
        snapshot.open_snapshot(tmp_path / "x.db")
    with pytest.raises(StorageError, match="cannot be copied"):
        snapshot.copy_database(tmp_path / "x.db", tmp_path / "y.db", lambda *_: None)
