"""A stream with a suppression list, on real servers: what is refused once is not sent again."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from postroad.lab.world import World
from postroad.message.bounce.classify import RulesInvalid
from postroad.model import Address, Reply, SuppressionReason, format_id
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
