"""Junk that an account's owner taught, over real sockets."""

import asyncio
from pathlib import Path

import pytest

from postroad.mailbox import deposit
from postroad.model import Address
from postroad.runtime.compose import System
from tests.attacks.serving import BOB, connected, inbox, serving

PILLS = (
    "From: Pills <sales@pills.example>\r\nSubject: cheap pills {}\r\n\r\nbuy cheap pills now\r\n"
)
LUNCH = "From: Jo <jo@friends.example>\r\nSubject: lunch {}\r\n\r\nshall we meet for lunch?\r\n"


async def send(system: System, *letters: str) -> None:
    for letter in letters:
        async with connected(system) as client:
            await client.open_transaction()
            assert (await client.ask(letter + ".")).startswith("250")


async def boxes(system: System) -> dict[str, int]:
    found = await system.office.mail.mailboxes(Address.parse(BOB))
    return {each.mailbox.name: each.entries for each in found}


async def test_what_was_moved_into_junk_comes_into_junk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deposit, "REMEMBER_SECONDS", 0.0)
    bob = Address.parse(BOB)
    async with serving(tmp_path, junk={"min_messages": 3}) as system:
        mail, junk = system.office.mail, system.office.junk
        await send(system, *(PILLS.format(n) for n in range(3)))
        await send(system, *(LUNCH.format(n) for n in range(3)))
        await inbox(system, wait_for=6)
        await mail.move(bob, [1, 2, 3], source="INBOX", into="Junk", by="bob")
        await junk.learn_mailbox(bob, "INBOX", spam=False)
        await send(system, LUNCH.format("again"))
        await inbox(system, wait_for=4)
        await send(system, PILLS.format("again"))
        for _ in range(500):
            if (await boxes(system))["Junk"] == 4:
                break
            await asyncio.sleep(0.01)
        assert await boxes(system) == {"INBOX": 4, "Junk": 4}
        journeys = system.office.journeys
        (newest, *_) = await journeys.find(limit=1)
        lines = {line.what: line.text for line in (await journeys.of(newest.id)).lines}
        assert lines["check"].startswith("junk: quarantine (")
        assert "words of junk: buy " in lines["check"]
        assert lines["deposited"].startswith("in the Junk of bob@us.test")
