"""A stream with a suppression list, on real servers: what is refused once is not sent again."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from postroad.lab.world import World
from postroad.message.bounce.classify import RulesInvalid
from postroad.message.dsn import Action, RecipientReport, Report, build_dsn
from postroad.model import Address, Reply, SuppressionReason, format_id
from postroad.runtime.compose import System
from postroad.runtime.config import Config
from postroad.runtime.lists import leave_out_suppressed
from postroad.runtime.office import Office

NEWS = "news@sender.test"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World(patience_seconds=2.0) as world:
        site = await world.add_domain("sender.test", ["alice", "news"])
        streams = Config.model_validate(
            {
                "server": {"hostname": "x.test"},
                "streams": {"news": {"senders": [NEWS], "suppression": True}},
            }
        ).streams
        site.config = site.config.model_copy(update={"streams": streams})
        await site.restart()
        yield world


async def test_a_hard_bounce_is_the_last_one(world: World) -> None:
    host = await world.host(
        "mx.gone.test", "permfail", domain="gone.test", reply=Reply(550, "5.1.1", "no such user")
    )
    assert host is not None
    office = world.sites["sender.test"].office
    first = await world.settled(await world.send(NEWS, "jo@gone.test"))
    assert "550 5.1.1 no such user (no-such-user, permanent)" in first.lines[-1].text
    (entry,) = await office.suppressions.find("news")
    assert (str(entry.address), entry.reason) == ("jo@gone.test", SuppressionReason.HARD_BOUNCE)
    assert entry.evidence.startswith(format_id(first.message.id))
    said = len(host.words)
    second = await world.settled(await world.send(NEWS, ["jo@gone.test"]))
    told = {line.what: line.text for line in second.lines}
    assert told["suppressed"] == f"jo@gone.test: {entry.evidence}"
    assert "not sent: on the suppression list of stream news" in told["bounced"]
    assert "(suppressed, permanent)" in told["bounced"]
    assert not [word for word in host.words[said:] if "RCPT" in word.upper()]
    # Its sender has a report of each.
    assert len(await world.wait_for(NEWS, count=2)) == 2
    # Other mail of ours is none of this list's business.
    third = await world.settled(await world.send("alice@sender.test", "jo@gone.test"))
    assert "no such user" in third.lines[-1].text
    assert "suppressed" not in {line.what for line in third.lines}


async def test_mailboxes_here_are_left_out_too(world: World) -> None:
    office = world.sites["sender.test"].office
    await office.suppressions.add([Address("alice", "sender.test")], "news", by="op")
    journey = await world.settled(await world.send(NEWS, "alice@sender.test"))
    assert journey.deliveries[0].state.value == "bounced"
    await office.suppressions.remove([Address("alice", "sender.test")], "news", by="op")
    await world.send(NEWS, "alice@sender.test")
    assert len(await world.wait_for("alice@sender.test")) == 1


async def test_without_lists_there_is_nothing_in_between(tmp_path: Any) -> None:
    config = Config.model_validate({"server": {"hostname": "x.test", "data_dir": tmp_path / "d"}})
    async with Office.open(config) as office:
        inner: Any = object()
        assert leave_out_suppressed(inner, office) is inner


async def test_lists_need_rules_that_can_be_used(tmp_path: Any) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule]]")
    config = Config.model_validate(
        {
            "server": {"hostname": "x.test", "data_dir": tmp_path / "d"},
            "streams": {"news": {"senders": [NEWS], "suppression": True}},
            "bounces": {"rules": [rules]},
        }
    )
    async with Office.open(config) as office:
        inner: Any = object()
        with pytest.raises(RulesInvalid):
            leave_out_suppressed(inner, office)
    with pytest.raises(RulesInvalid):
        async with System.open(config):
            pass


class TestReturnPaths:
    @pytest.fixture
    async def returning(self, world: World) -> World:
        site = world.sites["sender.test"]
        streams = Config.model_validate(
            {
                "server": {"hostname": "x.test"},
                "streams": {
                    "news": {
                        "senders": [NEWS],
                        "suppression": True,
                        "return_path": "bounce@sender.test",
                    }
                },
            }
        ).streams
        site.config = site.config.model_copy(update={"streams": streams})
        await site.restart()
        return world

    async def say(self, world: World, recipient: str, data: bytes, sender: str = "") -> list[str]:
        """Hand a message in at port 25; return the replies to RCPT and to the dot."""
        reader, writer = await asyncio.open_connection(*world.sites["sender.test"].mx)
        replies = []
        await reader.readline()
        for line in ("HELO mx.taker.test", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>"):
            writer.write(line.encode() + b"\r\n")
            replies.append((await reader.readline()).decode())
        if replies[-1].startswith("250"):
            writer.write(b"DATA\r\n")
            await reader.readline()
            writer.write(data + b"\r\n.\r\n")
            replies.append((await reader.readline()).decode())
        writer.close()
        await writer.wait_closed()
        return replies[2:]

    async def test_a_bounce_that_comes_later_is_in_the_journey(self, returning: World) -> None:
        world = returning
        host = await world.host("mx.taker.test", domain="taker.test")
        assert host is not None
        sent = await world.send(NEWS, "jo@taker.test")
        await world.settled(sent)
        path = host.messages[-1].sender
        assert path is not None
        assert str(path).startswith("bounce+")
        assert path.domain == "sender.test"
        to = Address("jo", "taker.test")
        notification = build_dsn(
            Report(
                id=1,
                at=time.time(),
                hostname="mx.taker.test",
                to=path,
                about=2,
                arrived_at=time.time(),
                recipients=(
                    RecipientReport(
                        recipient=to,
                        original=to,
                        action=Action.FAILED,
                        reply=Reply(550, "5.1.1", "no such user"),
                    ),
                ),
            )
        )
        assert [each[:3] for each in await self.say(world, str(path), notification.data)] == [
            "250",
            "250",
        ]
        journey = await world.journey_with(
            sent, lambda journey: any(line.what == "bounced" for line in journey.lines)
        )
        text = next(line.text for line in journey.lines if line.what == "bounced")
        assert text.startswith("jo@taker.test: mx.taker.test reports a failure, by ")
        assert text.endswith(": 550 5.1.1 no such user (no-such-user, permanent)")
        assert journey.deliveries[0].state.value == "delivered"
        (entry,) = await world.sites["sender.test"].office.suppressions.find("news")
        assert entry.address == to
        # What is forged goes nowhere, and looks like any unknown user.
        letter = "b" if str(path)[20] != "b" else "c"
        forged = str(path)[:20] + letter + str(path)[21:]
        assert await self.say(world, forged, b"") == [f"550 5.1.1 <{forged}> No such user here\r\n"]

    async def test_other_streams_keep_their_sender(self, returning: World) -> None:
        host = await returning.host("mx.taker.test", domain="taker.test")
        assert host is not None
        await returning.settled(await returning.send("alice@sender.test", "jo@taker.test"))
        assert str(host.messages[-1].sender) == "alice@sender.test"

    async def test_an_answer_by_a_person_is_refused(self, returning: World) -> None:
        host = await returning.host("mx.taker.test", domain="taker.test")
        assert host is not None
        await returning.settled(await returning.send(NEWS, "jo@taker.test"))
        path = host.messages[-1].sender
        letter = b"From: jo@taker.test\r\nSubject: I am away\r\n\r\nback soon\r\n"
        (_, taken) = await self.say(returning, str(path), letter, "jo@taker.test")
        number = taken.split("queued as ")[1].strip()
        journey = await returning.settled(number)
        assert journey.deliveries[0].state.value == "bounced"
        assert "only bounces and complaints are taken" in journey.lines[-1].text
        # Its sender may be forged: nobody else gets mail for it.
        assert "report" not in {line.what for line in journey.lines}
        assert len(host.messages) == 1
