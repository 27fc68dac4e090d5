import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from postroad.model import Envelope, Origin, Reply, ServerKind
from postroad.policy import (
    ACCEPT,
    Connected,
    Defer,
    MessageReceived,
    Policy,
    Reject,
    Verdict,
    check,
)
from postroad.policy.checks.loops import too_many_hops

ORIGIN = Origin(ServerKind.MX, client="192.0.2.1")
NO = Reject(Reply(550, "5.7.1", "No"))


def received(head: bytes) -> MessageReceived:
    return MessageReceived(1, ORIGIN, Envelope(None), head, len(head))


async def test_the_first_objection_counts() -> None:
    asked = []

    @check(stage=Connected)
    async def fine(stage: Connected) -> Verdict:
        asked.append("fine")
        return ACCEPT

    @check(stage=Connected)
    async def objects(stage: Connected) -> Verdict:
        asked.append("objects")
        return NO

    @check(stage=Connected)
    async def not_asked(stage: Connected) -> Verdict:
        asked.append("not asked")
        return ACCEPT

    assert await Policy([fine, objects, not_asked]).ask(Connected(ORIGIN)) == NO
    assert asked == ["fine", "objects"]


async def test_only_checks_of_the_stage_are_asked() -> None:
    @check(stage=MessageReceived)
    async def refuses(stage: MessageReceived) -> Verdict:
        return NO

    policy = Policy([refuses])
    assert await policy.ask(Connected(ORIGIN)) == ACCEPT
    assert not policy.has(Connected)
    assert await policy.ask(received(b"\r\n")) == NO


async def test_a_check_that_raises_defers() -> None:
    @check(stage=Connected)
    async def broken(stage: Connected) -> Verdict:
        raise RuntimeError("bug")

    verdict = await Policy([broken]).ask(Connected(ORIGIN))
    assert isinstance(verdict, Defer)
    assert verdict.reply.code == 451


async def test_a_check_that_hangs_defers_and_is_cancelled() -> None:
    ended = asyncio.Event()

    @check(stage=Connected)
    async def hangs(stage: Connected) -> Verdict:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return ACCEPT

    verdict = await Policy([hangs], deadline_seconds=0.01).ask(Connected(ORIGIN))
    assert isinstance(verdict, Defer)
    await asyncio.wait_for(ended.wait(), 1)


async def test_a_check_may_wait() -> None:
    @check(stage=Connected)
    async def thinks(stage: Connected) -> Verdict:
        await asyncio.sleep(0.001)
        return NO

    assert await Policy([thinks]).ask(Connected(ORIGIN)) == NO


def test_what_is_no_check_is_refused_at_once() -> None:
    def blocking(stage: Connected) -> Verdict:
        return ACCEPT

    not_async: Callable[[Connected], Coroutine[Any, Any, Verdict]] = blocking  # type: ignore[assignment]
    with pytest.raises(TypeError, match="async"):
        check(stage=Connected)(not_async)
    with pytest.raises(TypeError, match="stage"):
        check(stage=str)  # type: ignore[type-var]


async def test_mail_loops_are_refused() -> None:
    policy = Policy([too_many_hops(3)])
    hop = b"Received: from a by b; today\r\n"
    assert await policy.ask(received(hop * 3 + b"\r\n")) == ACCEPT
    verdict = await policy.ask(received(b"RECEIVED : x\r\n" + hop * 3 + b"\r\n"))
    assert isinstance(verdict, Reject)
    assert verdict.reply.enhanced == "5.4.6"
