import asyncio
import time

import pytest

from postroad.policy.checks.answers import answers_to
from postroad.ports import Answer, AnswerStatus


class SlowDns:
    """Answers some names at once, some soon, and others never."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.given_up: list[str] = []

    async def lookup(self, name: str, rdtype: str) -> Answer:
        self.asked.append(name)
        try:
            if name.startswith("soon"):
                await asyncio.sleep(0.001)
            elif name.startswith("never"):
                await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.given_up.append(name)
            raise
        return Answer(name, rdtype, AnswerStatus.FOUND, (f"of {name}",))


async def test_all_are_asked_at_once_and_waited_for_together() -> None:
    dns = SlowDns()
    names = ["never1.test", "soon1.test", "never2.test", "now.test", "soon2.test", "now.test"]
    began = time.monotonic()
    answers = await answers_to([(name, "TXT") for name in names], dns, 0.1)
    assert time.monotonic() - began < 1.0
    assert dns.asked == names[:5]
    for name in names:
        answer = await answers.lookup(name, "TXT")
        if name.startswith("never"):
            assert (answer.status, answer.detail) == (
                AnswerStatus.FAILED,
                "no answer within 0.1 s",
            )
        else:
            assert answer.records == (f"of {name}",)
    assert dns.asked == names[:5], "what is known is not asked again"
    await asyncio.sleep(0)
    assert dns.given_up == ["never1.test", "never2.test"]
    assert (await answers.lookup("now.test", "A")).rdtype == "A"


async def test_what_needs_no_waiting_makes_no_task() -> None:
    before = asyncio.all_tasks()
    answers = await answers_to([("now.test", "TXT")], SlowDns(), 1.0)
    assert asyncio.all_tasks() == before
    assert (await answers.lookup("now.test", "TXT")).records == ("of now.test",)


async def test_who_is_cancelled_cancels_them() -> None:
    dns = SlowDns()
    asking = asyncio.ensure_future(answers_to([("never.test", "TXT")], dns, 60.0))
    await asyncio.sleep(0.001)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0)
    assert dns.given_up == ["never.test"]
