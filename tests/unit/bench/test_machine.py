from pathlib import Path

import pytest

from bench.machine import describe, durable_directory, file_system
from peers.tools import PeerUnavailable


def test_the_innermost_mount_counts(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/a / ext4 rw 0 0\n"
        f"tmpfs {tmp_path} tmpfs rw 0 0\n"
        f"/dev/b {tmp_path}/with\\040space xfs rw 0 0\n"
        "/dev/c /elsewhere btrfs rw 0 0\n"
    )
    (tmp_path / "with space").mkdir()
    assert file_system(tmp_path / "with space", mounts) == ("xfs", "/dev/b")
    assert file_system(tmp_path, mounts) == ("tmpfs", "tmpfs")
    assert file_system(Path("/"), mounts) == ("ext4", "/dev/a")


def test_memory_is_no_disk() -> None:
    if file_system(Path("/dev/shm"))[0] != "tmpfs":
        pytest.skip("/dev/shm is no tmpfs on this machine")
    with pytest.raises(PeerUnavailable, match="durability costs nothing"):
        durable_directory(Path("/dev/shm"))


def test_the_machine_is_described(tmp_path: Path) -> None:
    machine = describe(tmp_path)
    assert machine.cores >= 1
    assert machine.cpu
    assert machine.fsync_ms > 0
    assert "SQLite" in machine.versions
    assert list(tmp_path.iterdir()) == []
