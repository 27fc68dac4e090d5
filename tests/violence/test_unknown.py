"""A receiver that goes away after the final dot: nobody knows whether it has the message. What follows
is the stream's policy, and both queue and journey say what happened.
"""

import asyncio
import json
import smtplib
import sys
from pathlib import Path
from typing import Any

from postroad.lab.faults import Behaviour, Script
from tests.violence.clients import BOB, FAR, bytes_of, number_in
from tests.violence.yard import Yard, yard

STREAMS = f"""
[streams.codes]
senders = ["{BOB.replace("bob", "otp")}"]
unknown = "hold"
"""
OTP = BOB.replace("bob", "otp")


async def postroad(there: Yard, *words: str) -> str:
    """Run a command of ours beside the running server."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "postroad.cli.main", *words, "--config", str(there.config)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def json_of(there: Yard, *words: str) -> Any:
    return json.loads(await postroad(there, *words, "--json"))


def send(there: Yard, number: int, sender: str) -> None:
    with smtplib.SMTP("127.0.0.1", there.clients.port, timeout=20) as client:
        client.login(BOB, "secret")
        assert client.sendmail(sender, [FAR], bytes_of(number)) == {}


async def copies(there: Yard) -> list[int]:
    return sorted(number_in(each.data) for each in there.sink.messages)


async def test_retry_or_hold(tmp_path: Path) -> None:
    async with yard(tmp_path, 41, STREAMS) as there:
        await there.start()
        await postroad(there, "alias", "add", OTP, BOB)
        await there.sink.become(Script(behaviour=Behaviour.DROP_AFTER_DOT, times=2))
        await asyncio.to_thread(send, there, 1, OTP)
        await asyncio.to_thread(send, there, 2, BOB)
        await there.until(lambda: len(there.sink.messages) == 3)
        assert await copies(there) == [1, 2, 2], "the default stream tries again, codes do not"

        async def held() -> list[Any]:
            listed = await json_of(there, "queue", "list")
            return [each for each in listed["deliveries"] if each["state"] == "held"]

        while not (waiting := await held()):
            await asyncio.sleep(0.05)
        (one,) = waiting
        assert one["message"]["stream"] == "codes"
        assert one["held"]["because"] == "unknown"
        text = await postroad(there, "queue", "list")
        assert "codes" in text
        assert "held: outcome unknown, it may have been delivered; " in text, text
        assert "held: outcome unknown" in await postroad(there, "queue", "show", one["id"])

        assert "1 delivery released" in await postroad(there, "queue", "release", one["id"])
        await there.until(lambda: len(there.sink.messages) == 4)
        assert await copies(there) == [1, 1, 2, 2]
        await there.drain()
        journey = await json_of(there, "journey", one["id"])
        assert journey["stream"] == "codes"
        lines = [(line["what"], line["text"]) for line in journey["journey"]]
        assert [what for what, _ in lines if what in _WHATS] == _WHATS
        (unknown,) = (text for what, text in lines if what == "unknown")
        assert "it may have been delivered; held until an operator releases or drops it" in unknown
        assert lines[0][1].endswith(", stream codes")
        other = await json_of(there, "journey", "--message-id", "<2@violence.test>")
        assert other["stream"] == "default"
        whats = [line["what"] for line in other["journey"]]
        assert [what for what in whats if what in _WHATS] == ["accepted", "unknown", "delivered"]
        await there.stop()


_WHATS = ["accepted", "unknown", "retried", "delivered"]


async def test_every_duplicate_is_unknown_in_its_journey(tmp_path: Path) -> None:
    """Under load: what comes twice without any crash is what the journey calls unknown."""
    async with yard(tmp_path, 42) as there:
        await there.start()
        await there.sink.become(Script(behaviour=Behaviour.DROP_AFTER_DOT, times=20))
        await there.load(150, 0.0)
        await there.clients.stop()
        await there.drain()
        await there.stop()
        balance = await there.balance()
        print(balance)
        balance.check(there.words())
        assert balance.duplicates > 0
        assert balance.unknown >= balance.duplicates
