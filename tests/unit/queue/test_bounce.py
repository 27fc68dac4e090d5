"""Which reports are made, and what is in them."""

import asyncio
import email
from email.message import Message as ParsedMessage
from typing import Any

import pytest

from postroad.model import (
    Address,
    DeliveryState,
    Message,
    Notify,
    PermanentFailure,
    Reply,
    Ret,
    RouteKind,
    ServerKind,
)
from postroad.ports import StorageError
from tests.unit.queue.test_queue import DAY, play
from tests.unit.queue.world import SENDER, World, temporary

NO_USER = PermanentFailure(Reply(550, "5.1.1", "no such user"))
CONTENT = b"From: alice@here.example\r\nSubject: hello\r\n\r\nthe body\r\n"


def parsed(world: World, report: Message) -> ParsedMessage:
    return email.message_from_bytes(world.contents[report.content.id])


def fields(report: ParsedMessage) -> list[ParsedMessage]:
    status = report.get_payload(1)
    assert isinstance(status, ParsedMessage)
    blocks = status.get_payload()
    assert isinstance(blocks, list)
    return [block for block in blocks if isinstance(block, ParsedMessage)]


RULES: list[tuple[str, dict[str, Any], dict[str, Any], str | None]] = [
    ("failure", {}, {"answer": NO_USER}, "failed"),
    ("failure, asked for", {"notify": Notify.FAILURE}, {"answer": NO_USER}, "failed"),
    ("failure, not asked for", {"notify": Notify.SUCCESS}, {"answer": NO_USER}, None),
    ("failure, delay asked for", {"notify": Notify.DELAY}, {"answer": NO_USER}, None),
    ("failure, never", {"notify": Notify.NEVER}, {"answer": NO_USER}, None),
    ("failure, null sender", {"sender": None}, {"answer": NO_USER}, None),
    ("success", {}, {}, None),
    ("success, asked for", {"notify": Notify.SUCCESS}, {}, "relayed"),
    ("success, next does DSN", {"notify": Notify.SUCCESS}, {"dsn": True}, None),
    ("success by LMTP", {"notify": Notify.SUCCESS}, {"kind": RouteKind.LMTP}, "delivered"),
    ("success, null sender", {"sender": None, "notify": Notify.SUCCESS}, {}, None),
    ("success, never", {"notify": Notify.NEVER}, {}, None),
]


@pytest.mark.parametrize(
    ("message", "server", "action"), [r[1:] for r in RULES], ids=[r[0] for r in RULES]
)
def test_rules(message: dict[str, Any], server: dict[str, Any], action: str | None) -> None:
    async def scenario(world: World) -> None:
        here = world.server("here.example")
        how = dict(server)
        if "answer" in how:
            outcome = how["answer"]
            how["answer"] = lambda leased, each: outcome
        world.server("there.example", **how)
        await world.start()
        sent = await world.send("bob@there.example", **message)
        assert await world.clock.until(world.all_final, 10)
        reports = world.reports(sent)
        if action is None:
            assert not reports
            return
        (report,) = reports
        assert report.envelope.sender is None
        assert report.origin.server is ServerKind.DSN
        assert [each.address for each in report.envelope.recipients] == [SENDER]
        assert here.taken == {(report.id, 0): 1}
        mail = parsed(world, report)
        assert mail["To"] == "<alice@here.example>"
        assert mail["Auto-Submitted"] == "auto-replied"
        assert mail["In-Reply-To"] == sent.message_id
        _, recipient = fields(mail)
        assert recipient["Action"] == action
        assert recipient["Final-Recipient"] == "rfc822; bob@there.example"

    play(scenario)


def test_expiry_reports_a_failure_after_one_delay_notice() -> None:
    async def scenario(world: World) -> None:
        world.server("here.example")
        there = world.server("there.example", answer=lambda leased, each: temporary())
        await world.start()
        sent = await world.send("bob@there.example")
        assert await world.clock.until(world.all_final, 6 * DAY)
        assert world.state(sent) is DeliveryState.EXPIRED
        reports = [fields(parsed(world, each))[1] for each in world.reports(sent)]
        assert [each["Action"] for each in reports] == ["delayed", "failed"]
        assert reports[0]["Will-Retry-Until"]
        assert reports[0]["Status"] == "4.3.0"
        assert reports[1]["Status"] == "4.4.7"
        assert reports[1]["Diagnostic-Code"] == "smtp; 451 4.3.0 not now"
        assert reports[1]["Remote-MTA"] == "dns; mx.there.example"
        assert 30 < len(there.attempts) < 50

    play(scenario)


def test_mail_to_a_dead_destination_expires_too() -> None:
    async def scenario(world: World) -> None:
        world.server("here.example")
        world.server("dead.example", refuse=Reply(451, "4.4.1", "connection timed out"))
        await world.start()
        sent = await world.send("bob@dead.example")
        assert await world.clock.until(world.all_final, 6 * DAY)
        assert world.state(sent) is DeliveryState.EXPIRED
        assert len(world.reports(sent)) == 2

    play(scenario)


def test_a_report_that_fails_is_not_answered() -> None:
    async def scenario(world: World) -> None:
        world.server("here.example", answer=lambda leased, each: NO_USER)
        world.server("there.example", answer=lambda leased, each: NO_USER)
        await world.start()
        await world.send("bob@there.example")
        assert await world.clock.until(world.all_final, 10)
        assert len(world.reports()) == 1
        assert world.states() == {DeliveryState.BOUNCED: 2}

    play(scenario)


def test_one_report_for_all_recipients_that_failed_alike() -> None:
    async def scenario(world: World) -> None:
        world.server("here.example")
        world.server("there.example", answer=lambda leased, each: NO_USER)
        await world.start()
        sent = await world.send("a@there.example", "b@there.example", "c@there.example")
        assert await world.clock.until(world.all_final, 10)
        (report,) = world.reports(sent)
        assert len(fields(parsed(world, report))) == 4

    play(scenario)


def test_an_unknown_sender_gets_no_report_and_the_journey_says_so() -> None:
    async def scenario(world: World) -> None:
        world.senders[SENDER] = None
        world.server("there.example", answer=lambda leased, each: NO_USER)
        await world.start()
        sent = await world.send("bob@there.example")
        assert await world.clock.until(world.all_final, 10)
        assert not world.reports()
        assert "alice@here.example> is unknown here" in world.attempted(sent)[0].steps[-1].text

    play(scenario)


def test_state_and_report_are_one_commit() -> None:
    async def scenario(world: World) -> None:
        world.server("here.example")
        world.server("there.example", answer=lambda leased, each: NO_USER)
        await world.start()
        sent = await world.send("bob@there.example")
        failures = 0

        def refuse(group: Any) -> None:
            nonlocal failures
            if len(group.changes) > 1 and failures < 5:
                failures += 1
                raise StorageError("I/O error")

        world.refuse_commit = refuse
        assert await world.clock.until(world.all_final, 60)
        assert failures == 5
        assert world.state(sent) is DeliveryState.BOUNCED
        assert len(world.reports(sent)) == 1

    play(scenario)


def test_no_end_without_its_report() -> None:
    async def scenario(world: World) -> None:
        world.server("here.example")
        there = world.server("there.example", answer=lambda leased, each: NO_USER)
        await world.start()
        broken = True

        async def resolve(address: Address) -> tuple[str, int | None] | None:
            if broken:
                raise ZeroDivisionError("a bug")
            return address.domain, None

        world.resolve = resolve
        sent = await world.send("bob@there.example")
        await world.clock.until(lambda: world.delivery(sent).attempts == 1, 10)
        assert world.state(sent) is DeliveryState.DUE
        broken = False
        assert await world.clock.until(world.all_final, DAY)
        assert len(there.attempts) == 2
        assert len(world.reports(sent)) == 1

    play(scenario)


def hanging(world: World) -> tuple[asyncio.Event, asyncio.Event]:
    """Have reports wait for who the sender is: one event says that one does, the other lets it go on."""
    asked, known = asyncio.Event(), asyncio.Event()

    async def resolve(address: Address) -> tuple[str, int | None] | None:
        asked.set()
        await known.wait()
        return address.domain, None

    world.resolve = resolve
    return asked, known


def test_a_stop_while_the_report_is_made_leaves_the_delivery_to_the_next_start() -> None:
    async def scenario(world: World) -> None:
        world.server("here.example")
        world.server("there.example", answer=lambda leased, each: NO_USER)
        await world.start()
        asked, known = hanging(world)
        sent = await world.send("bob@there.example")
        assert await world.clock.until(asked.is_set, 10)
        await world.stop(0.0)
        assert world.state(sent) is DeliveryState.DUE
        assert not world.reports(sent)
        known.set()
        await world.start()
        assert await world.clock.until(world.all_final, DAY)
        assert len(world.reports(sent)) == 1

    play(scenario)


def test_the_report_of_a_success_is_still_made_when_the_process_stops() -> None:
    async def scenario(world: World) -> None:
        world.server("here.example")
        world.server("there.example")
        await world.start()
        asked, known = hanging(world)
        sent = await world.send("bob@there.example", notify=Notify.SUCCESS)
        assert await world.clock.until(asked.is_set, 10)
        stopping = asyncio.ensure_future(world.stop(0.0))
        for _ in range(50):  # the stop comes as far as it can, and no time passes
            await asyncio.sleep(0)
        known.set()
        await stopping
        assert world.state(sent) is DeliveryState.DELIVERED
        assert len(world.reports(sent)) == 1

    play(scenario)


@pytest.mark.parametrize(
    ("ret", "size", "kind"),
    [
        (None, 10, "text/rfc822-headers"),
        (Ret.HEADERS, 10, "text/rfc822-headers"),
        (Ret.FULL, 10, "message/rfc822"),
        (Ret.FULL, 300_000, "text/rfc822-headers"),
    ],
)
def test_how_much_is_returned(ret: Ret | None, size: int, kind: str) -> None:
    async def scenario(world: World) -> None:
        world.server("here.example")
        world.server("there.example", answer=lambda leased, each: NO_USER)
        await world.start()
        content = CONTENT + b"line\r\n" * (size // 6)
        sent = await world.send("bob@there.example", ret=ret, content=content)
        assert await world.clock.until(world.all_final, 10)
        (report,) = world.reports(sent)
        returned = parsed(world, report).get_payload(2)
        assert isinstance(returned, ParsedMessage)
        assert returned.get_content_type() == kind
        raw = world.contents[report.content.id]
        assert (content in raw) == (kind == "message/rfc822")
        assert CONTENT.split(b"\r\n\r\n")[0] in raw

    play(scenario)
