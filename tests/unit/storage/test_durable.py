import os
from collections.abc import Callable
from pathlib import Path

import pytest

from postroad.storage.durable import make_directory, sync_directory


def synced_paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by the path of each file and directory that is synced."""
    seen: list[str] = []
    real: Callable[[int], None] = os.fsync

    def fsync(handle: int) -> None:
        seen.append(os.readlink(f"/proc/self/fd/{handle}"))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return seen


def test_each_new_name_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = synced_paths(monkeypatch)
    make_directory(tmp_path / "a/b/c")
    assert seen == [str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a/b")]
    assert (tmp_path / "a/b/c").stat().st_mode & 0o777 == 0o700
    make_directory(tmp_path / "a/b/c")
    assert len(seen) == 3


def test_what_is_no_directory_cannot_be_synced(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_directory(tmp_path / "file")
