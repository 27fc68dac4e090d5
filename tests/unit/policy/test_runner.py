import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from msgspec.structs import replace

from postroad.model import Envelope, Origin, Reply, RulingKind, ServerKind
from postroad.policy import (
    ACCEPT,
    NOTHING,
    Accept,
    Connected,
    Defer,
    MessageBegun,
    MessageReceived,
    NewField,
    Policy,
    Quarantine,
    Reject,
    Verdict,
    check,
    eager,
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

    decision = await Policy([fine, objects, not_asked]).ask(Connected(ORIGIN))
    assert decision.verdict == NO
    assert [each.check for each in decision.rulings] == ["objects"]
    assert asked == ["fine", "objects"]


async def test_only_checks_of_the_stage_are_asked() -> None:
    @check(stage=MessageReceived)
    async def refuses(stage: MessageReceived) -> Verdict:
        return NO

    policy = Policy([refuses])
    assert await policy.ask(Connected(ORIGIN)) is NOTHING
    assert not policy.has(Connected)
    assert (await policy.ask(received(b"\r\n"))).refused == NO


async def test_a_check_that_raises_defers() -> None:
    @check(stage=Connected)
    async def broken(stage: Connected) -> Verdict:
        raise RuntimeError("bug")

    verdict = (await Policy([broken]).ask(Connected(ORIGIN))).verdict
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

    verdict = (await Policy([hangs], deadline_seconds=0.01).ask(Connected(ORIGIN))).verdict
    assert isinstance(verdict, Defer)
    await asyncio.wait_for(ended.wait(), 1)


async def test_a_check_may_wait() -> None:
    @check(stage=Connected)
    async def thinks(stage: Connected) -> Verdict:
        await asyncio.sleep(0.001)
        return NO

    assert (await Policy([thinks]).ask(Connected(ORIGIN))).verdict == NO


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
    assert await policy.ask(received(hop * 3 + b"\r\n")) is NOTHING
    verdict = (await policy.ask(received(b"RECEIVED : x\r\n" + hop * 3 + b"\r\n"))).verdict
    assert isinstance(verdict, Reject)
    assert verdict.reply.enhanced == "5.4.6"


class Words:
    """Counts the words of a body; some bodies break it."""

    def __init__(self) -> None:
        self.count = 0

    def write(self, chunk: bytes) -> None:
        if b"bang" in chunk:
            raise RuntimeError("bang")
        self.count += len(chunk.split())


@check(stage=MessageReceived, name="words", reads=lambda begun: Words() if begun.head else None)
async def words(stage: MessageReceived) -> Verdict:
    found = stage.reading(Words)
    return Accept(f"{found.count} words") if found else Accept("not read")


@pytest.mark.parametrize(
    ("head", "body", "reason"),
    [
        (b"A: b\r\n\r\n", [b"one two ", b"three"], "3 words"),
        (b"", [b"one"], "not read"),
    ],
)
async def test_a_check_may_read_the_body(head: bytes, body: list[bytes], reason: str) -> None:
    policy = Policy([words])
    readings = policy.readings(MessageBegun(ORIGIN, Envelope(None), head))
    for chunk in body:
        readings.write(chunk)
    decision = await policy.ask(
        MessageReceived(1, ORIGIN, Envelope(None), head, 1, readings=readings)
    )
    assert [each.reason for each in decision.rulings] == [reason]


def broken_reads(begun: MessageBegun) -> Words:
    raise RuntimeError("no reader")


@pytest.mark.parametrize("reads", [broken_reads, lambda begun: Words()], ids=["made", "fed"])
async def test_a_reader_that_raises_defers(reads: Any, caplog: pytest.LogCaptureFixture) -> None:
    @check(stage=MessageReceived, reads=reads)
    async def reader(stage: MessageReceived) -> Verdict:
        return ACCEPT

    policy = Policy([reader])
    readings = policy.readings(MessageBegun(ORIGIN, Envelope(None), b"\r\n"))
    readings.write(b"bang")
    readings.write(b"more")
    decision = await policy.ask(
        MessageReceived(1, ORIGIN, Envelope(None), b"\r\n", 1, readings=readings)
    )
    assert decision.refused is not None
    assert decision.refused.reply.code == 451


async def test_quarantine_does_not_end_the_asking_and_a_refusal_outweighs_it() -> None:
    @check(stage=Connected)
    async def doubts(stage: Connected) -> Verdict:
        return Quarantine("odd", (NewField("X-Odd", "yes"),), fact=17)

    @check(stage=Connected)
    async def knows(stage: Connected) -> Verdict:
        assert stage.fact(int) == 17
        assert stage.fact(str) is None
        return Accept("fine", (NewField("X-Fine", "yes"),))

    @check(stage=Connected)
    async def objects(stage: Connected) -> Verdict:
        return NO

    decision = await Policy([doubts, knows], now=lambda: 5.0).ask(Connected(ORIGIN))
    assert decision.quarantined
    assert [field.name for field in decision.headers] == ["X-Odd", "X-Fine"]
    told = [(each.check, each.kind, each.reason, each.at) for each in decision.rulings]
    assert told == [
        ("doubts", RulingKind.QUARANTINE, "odd", 5.0),
        ("knows", RulingKind.ACCEPT, "fine", 5.0),
    ]
    decision = await Policy([doubts, objects]).ask(Connected(ORIGIN))
    assert decision.refused == NO


async def test_a_dry_run_is_told_and_not_done() -> None:
    @check(stage=Connected)
    async def objects(stage: Connected) -> Verdict:
        return NO

    decision = await Policy([objects], dry_run=["objects"]).ask(Connected(ORIGIN))
    assert decision.verdict == ACCEPT
    (ruling,) = decision.rulings
    assert (ruling.kind, ruling.dry_run, ruling.reason) == (RulingKind.REJECT, True, str(NO.reply))


async def test_a_dry_run_takes_nothing_from_later_checks() -> None:
    """What was found stays found: only the verdict is not done."""
    found: list[object] = []

    @check(stage=Connected)
    async def knows(stage: Connected) -> Verdict:
        return Accept("pass", (NewField("X-Known", "yes"),), fact=17)

    @check(stage=Connected)
    async def doubts(stage: Connected) -> Verdict:
        return Quarantine("odd", (NewField("X-Odd", "yes"),), fact=b"odd")

    @check(stage=Connected)
    async def refuses(stage: Connected) -> Verdict:
        return Reject(NO.reply, "no", fact="refused")

    @check(stage=Connected)
    async def asks(stage: Connected) -> Verdict:
        found.extend(stage.fact(kind) for kind in (int, bytes, str, Quarantine))
        return ACCEPT

    checks = [knows, doubts, refuses, asks]
    decision = await Policy(checks, dry_run=["knows", "doubts", "refuses"]).ask(Connected(ORIGIN))
    assert decision.verdict == ACCEPT
    assert found == [17, b"odd", "refused", None]
    assert [field.name for field in decision.headers] == ["X-Known", "X-Odd"]
    assert all(each.dry_run for each in decision.rulings)


ENDLESS = NewField("X", "\r\n\t".join(["y" * 900] * 40))


@pytest.mark.parametrize(
    "verdict",
    [None, "250 OK", Accept(headers=(b"X: y",)), Accept(headers=(ENDLESS,))],  # type: ignore[arg-type]
    ids=["none", "text", "bytes", "too much"],
)
async def test_what_is_no_verdict_defers(verdict: Any) -> None:
    @check(stage=Connected)
    async def odd(stage: Connected) -> Verdict:
        value: Verdict = verdict
        return value

    decision = await Policy([odd]).ask(Connected(ORIGIN))
    assert decision.refused is not None
    assert decision.refused.reply.code == 451


def test_a_verdict_has_a_reply_of_its_kind() -> None:
    with pytest.raises(ValueError, match="defers nothing"):
        Defer(Reply(550, "5.7.1", "No"))
    with pytest.raises(ValueError, match="rejects nothing"):
        Reject(Reply(450, "4.7.1", "Later"))


async def test_a_check_of_some_servers_is_asked_of_their_mail_alone() -> None:
    class Collected:
        def write(self, chunk: bytes) -> None: ...

    def read(begun: MessageBegun) -> Collected:
        return Collected()

    @check(stage=MessageReceived, servers=[ServerKind.SUBMISSION], reads=read)
    async def refuses(stage: MessageReceived) -> Verdict:
        return NO

    policy = Policy([refuses], dry_run=["other"])
    mx, submission = policy.of(ServerKind.MX), policy.of(ServerKind.SUBMISSION)
    assert not mx.has(MessageReceived)
    assert not mx.reads
    assert submission.reads
    assert (await submission.ask(received(b"\r\n"))).refused == NO
    assert (await mx.ask(received(b"\r\n"))) is NOTHING
    assert policy.of(ServerKind.MX) is mx


class Odd(BaseException):
    """No `Exception`."""


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), Odd(), RuntimeError()]
)
async def test_what_a_check_of_others_raises_defers(
    error: BaseException, waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    @check(stage=Connected)
    async def raises(stage: Connected) -> Verdict:
        if waits:
            await asyncio.sleep(0.001)
        raise error

    decision = await Policy([replace(raises, foreign=True)]).ask(Connected(ORIGIN))
    assert decision.refused is not None
    assert decision.refused.reply.code == 451


async def test_a_check_of_others_may_use_all_of_asyncio() -> None:
    @check(stage=Connected)
    async def uses(stage: Connected) -> Verdict:
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
        return Accept("fine")

    policy = Policy([replace(uses, foreign=True)])
    loop = asyncio.get_running_loop()
    begun: asyncio.Future[Any] = loop.create_future()
    # As a connection does: outside of any task.
    loop.call_soon(lambda: begun.set_result(eager.start(policy.ask(Connected(ORIGIN)), loop)))
    outcome = await begun
    if isinstance(outcome, asyncio.Task):
        await outcome
    assert [each.reason for each in outcome.result().rulings] == ["fine"]
