"""A server whose check never ends does end, in a process of its own."""

import signal
import time
from pathlib import Path

from postroad.runtime.ending import LEFT_SECONDS
from postroad.runtime.lifecycle import EX_SOFTWARE
from tests.unit.runtime.served import Served, Talk, write_config

CHECK = """\
import asyncio, sys
from postroad.policy import ACCEPT, MailFrom, check

@check(stage=MailFrom)
async def hangs(stage):
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def leave():
    sys.exit(3)

@check(stage=MailFrom)
async def ends(stage):
    if stage.envelope.sender.local_part == "end":
        asyncio.create_task(leave())
    return ACCEPT
"""


def hanging(tmp_path: Path) -> Path:
    place = tmp_path / "checks"
    place.mkdir()
    (place / "hanging_of_house.py").write_text(CHECK)
    checks = '["hanging_of_house:ends", "hanging_of_house:hangs"]'
    policy = f'[policy]\npath = "{place}"\nchecks = {checks}\n'
    return write_config(tmp_path, policy + "[limits]\ncheck_seconds = 0.2\n")


def hand_in(talk: Talk, sender: str) -> None:
    assert talk.reply().startswith("220")
    assert talk.say("EHLO client.test").startswith("250")
    talk.send(f"MAIL FROM:<{sender}@elsewhere.test>\r\n".encode())


def test_a_check_that_swallows_its_cancellation_keeps_no_process(tmp_path: Path) -> None:
    with Served(hanging(tmp_path)) as served:
        with Talk(served.ports()["mx"]) as talk:
            hand_in(talk, "a")
            assert talk.reply().startswith("451 4.7.0")
            assert talk.say("QUIT").startswith("221")
        served.signal(signal.SIGTERM)
        began = time.monotonic()
        assert "check hangs" in served.wait_for("something does not end; ended without it")["tasks"]
        assert served.end() == 0
        assert time.monotonic() - began < LEFT_SECONDS + 5


def test_a_server_that_a_task_of_a_check_ends_does_end(tmp_path: Path) -> None:
    """Its supervisor starts it again; one that is there without its ports would help nobody."""
    with Served(hanging(tmp_path)) as served:
        port = served.ports()["mx"]
        with Talk(port) as talk:
            hand_in(talk, "a")
            assert talk.reply().startswith("451 4.7.0")
        with Talk(port) as talk:
            hand_in(talk, "end")
            served.wait_for("something does not end; ended without it")
            assert served.end() == EX_SOFTWARE
