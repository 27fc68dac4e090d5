"""A server whose check never ends does end, in a process of its own."""

import signal
import time
from pathlib import Path

from postroad.runtime.ending import LEFT_SECONDS
from tests.unit.runtime.served import Served, Talk, write_config

CHECK = """\
import asyncio
from postroad.policy import ACCEPT, MailFrom, check

@check(stage=MailFrom)
async def hangs(stage):
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
"""


def test_a_check_that_swallows_its_cancellation_keeps_no_process(tmp_path: Path) -> None:
    place = tmp_path / "checks"
    place.mkdir()
    (place / "hanging_of_house.py").write_text(CHECK)
    policy = f'[policy]\npath = "{place}"\nchecks = ["hanging_of_house:hangs"]\n'
    config = write_config(tmp_path, policy + "[limits]\ncheck_seconds = 0.2\n")
    with Served(config) as served:
        with Talk(served.ports()["mx"]) as talk:
            assert talk.reply().startswith("220")
            assert talk.say("EHLO client.test").startswith("250")
            assert talk.say("MAIL FROM:<a@elsewhere.test>").startswith("451 4.7.0")
            assert talk.say("QUIT").startswith("221")
        served.signal(signal.SIGTERM)
        began = time.monotonic()
        assert "check hangs" in served.wait_for("something does not end; ended without it")["tasks"]
        assert served.end() == 0
        assert time.monotonic() - began < LEFT_SECONDS + 5
