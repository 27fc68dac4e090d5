"""Several processes behind the same ports, on the same store."""

import os
import signal
import time
from pathlib import Path

from tests.unit.runtime.served import Served, Talk, environment, write_config
from tests.unit.runtime.test_lifecycle import add_account, begin_message, messages

TWO = environment(POSTROAD_SERVER__WORKERS="2")


def send(port: int) -> bool:
    """Hand one message in; False where the connection broke (a worker was killed)."""
    with Talk(port) as talk:
        if not talk.reply().startswith("220"):
            return False
        for line, code in (
            ("EHLO client.test", "250"),
            ("MAIL FROM:<a@elsewhere.test>", "250"),
            ("RCPT TO:<jo@here.test>", "250"),
            ("DATA", "354"),
            ("Subject: x\r\n\r\nx\r\n.", "250"),
        ):
            if not talk.say(line).startswith(code):
                return False
    return True


def test_both_workers_serve_one_store(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    add_account(config)
    with Served(config, TWO) as served:
        first = served.wait_for("ready")
        second = served.wait_for("ready")
        assert {first["worker"], second["worker"]} == {0, 1}
        assert first["pid"] != second["pid"]
        port = served.ports(first)["mx"]
        assert served.ports(second)["mx"] == port
        # Each takes a part of those that come at once; all see the same store.
        talks = [Talk(port) for _ in range(40)]
        for talk in talks:
            begin_message(talk)
        for talk in talks:
            assert talk.say("end\r\n.").startswith("250 2.0.0")
            talk.__exit__()
        served.signal(signal.SIGTERM)
        assert served.end() == 0
    assert messages(config) == 20  # `find` shows the newest 20
    for pid in (first["pid"], second["pid"]):
        assert not Path(f"/proc/{pid}").exists()


def test_a_worker_that_dies_is_started_anew(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    add_account(config)
    with Served(config, TWO) as served:
        first = served.wait_for("ready")
        served.wait_for("ready")
        port = served.ports(first)["mx"]
        os.kill(first["pid"], signal.SIGKILL)
        ended = served.wait_for("a worker ended; starting it anew")
        assert ended["worker"] == 0
        assert ended["code"] == -signal.SIGKILL
        taken = sum(send(port) for _ in range(10))
        assert taken == 10, "the other one serves meanwhile"
        again = served.wait_for("ready")
        assert again["worker"] == 0
        assert again["pid"] != first["pid"]
        served.signal(signal.SIGHUP)
        served.wait_for("reloaded")
        served.wait_for("reloaded")
        served.signal(signal.SIGTERM)
        assert served.end() == 0
    assert messages(config) == 10


def test_a_worker_that_cannot_start_ends_them_all(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "postroad.db").write_bytes(b"no database at all" * 1000)
    began = time.monotonic()
    with Served(config, TWO) as served:
        assert served.end() not in (0, None)
    assert time.monotonic() - began < 15


def test_workers_end_in_order_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    add_account(config)
    with Served(config, TWO) as served:
        workers = [served.wait_for("ready") for _ in range(2)]
        with Talk(served.ports(workers[0])["mx"]) as talk:
            begin_message(talk)
            served.process.kill()
            served.wait_for("stopping")
            assert talk.say("end\r\n.").startswith("250 2.0.0"), "what is in flight is finished"
        deadline = time.monotonic() + 15
        while any(Path(f"/proc/{each['pid']}").exists() for each in workers):
            assert time.monotonic() < deadline, "they go on without their supervisor"
            time.sleep(0.05)
    with Served(config, TWO) as again:
        again.wait_for("ready")
    assert messages(config) == 1
