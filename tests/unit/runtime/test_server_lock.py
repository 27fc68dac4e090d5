import os
from pathlib import Path

import pytest

from postroad.runtime.server_lock import ServerLock, ServerRuns
from tests.unit.runtime.served import Served, write_config


def test_one_at_a_time(tmp_path: Path) -> None:
    lock = ServerLock(tmp_path)
    with pytest.raises(ServerRuns, match=rf"a server runs on {tmp_path}.*process {os.getpid()}"):
        ServerLock(tmp_path)
    lock.close()
    ServerLock(tmp_path).close()
    assert lock.path.stat().st_mode & 0o777 == 0o600


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ServerLock(tmp_path / "nowhere")


def test_a_child_that_was_forked_keeps_it(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    lock = ServerLock(tmp_path)
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    lock.close()
    with pytest.raises(ServerRuns):
        ServerLock(tmp_path)
    os.close(writing)
    os.waitpid(child, 0)
    os.close(reading)
    ServerLock(tmp_path).close()


def test_a_second_server_ends_and_says_why(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with Served(config) as first:
        first.wait_for("ready")
        with Served(config) as second:
            with pytest.raises(AssertionError) as said:
                second.wait_for("ready")
            assert second.end() == 75
            assert f"a server runs on {tmp_path / 'data'} already" in str(said.value)
            assert f"process {first.process.pid}" in str(said.value)
        assert (tmp_path / "submit.sock").exists(), "the first one's is left alone"
