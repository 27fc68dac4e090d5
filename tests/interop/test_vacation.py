"""Mail that comes by SMTP is answered for who is away: once, and never to lists and machines."""

import asyncio
import smtplib
import time
from pathlib import Path
from typing import Any

from postroad.model import Address, Group, Vacation, VacationSet, format_id
from postroad.ports import Entry
from postroad.runtime.compose import System
from tests.unit.web.site import Site, running

ANN = "ann@here.test"
BOB = "bob@here.test"


def send(system: System, sender: str, *fields: str, to: str = ANN) -> str:
    """Bring a message by SMTP; return its id."""
    host, port = system.listening["mx"][0]
    lines = [f"From: {sender or 'daemon@here.test'}", f"To: {to}", "Subject: hello", *fields]
    with smtplib.SMTP(host, port, timeout=20) as client:
        client.ehlo()
        client.mail(sender)
        client.rcpt(ANN)
        code, said = client.data("\r\n".join([*lines, "", "hi", ""]))
        assert code == 250, said
        return said.decode().rpartition(" ")[2]


async def inbox(site: Site, address: str) -> list[bytes]:
    system = site.system
    account = await system.accounts.get(Address.parse(address))
    mailboxes = system.store.mailboxes
    listing = await mailboxes.listing(account.inbox)
    assert listing is not None
    entries: list[Entry] = await mailboxes.entries(account.inbox, listing.uids)
    return [each.prefix + await system.store.content.read(each.content) for each in entries]


async def wait_for(site: Site, address: str, count: int) -> list[bytes]:
    end = time.monotonic() + 20
    while len(found := await inbox(site, address)) < count:
        assert time.monotonic() < end, f"{len(found)} of {count}"
        await asyncio.sleep(0.05)
    return found


async def story(site: Site, message: str) -> str:
    """Return the steps of a message's journey that tell of answers."""
    events: list[Any] = []
    for each in await site.system.store.journey.after(0):
        change: Any = each.change
        if type(change).__name__ == "Attempted" and format_id(change.message) == message:
            events += [step.text for step in change.steps if step.what == "vacation"]
    return "; ".join(events)


async def test_who_writes_to_somebody_away_is_answered_once(tmp_path: Path) -> None:
    async with running(tmp_path, listen={"mx": ["127.0.0.1:0"]}) as site:
        system = site.system
        ann = await system.accounts.get(Address.parse(ANN))
        away = Vacation(enabled=True, subject="away", text="back on Monday")
        now = system.office.clock.now()
        await system.store.ledger.commit(Group((VacationSet(now, ann.id, away),)))

        async def bring(*given: str, **more: str) -> str:
            return await asyncio.to_thread(send, system, *given, **more)

        first = await bring(BOB, "Message-ID: <1@here.test>")
        (answer,) = await wait_for(site, BOB, 1)
        assert b"Return-Path: <>\r\n" in answer
        assert b"Auto-Submitted: auto-replied\r\n" in answer
        assert b"In-Reply-To: <1@here.test>\r\n" in answer
        assert b"Subject: away\r\n" in answer
        assert b"back on Monday" in answer
        quiet = {
            "its sender was answered already": await bring(BOB),
            "it has no sender": await bring(""),
            "it comes from a list": await bring("eve@far.test", "List-Id: <x.far.test>"),
            "it was sent by a machine": await bring("eve@far.test", "Auto-Submitted: auto-replied"),
            "the account is not among": await bring("eve@far.test", to="all@far.test"),
        }
        await wait_for(site, ANN, 1 + len(quiet))
        for why, message in quiet.items():
            assert why in await story(site, message)
        assert await story(site, first) == f"answered to {BOB}"
        assert len(await inbox(site, BOB)) == 1
        assert await system.store.owners.answers(ann.id, 0.0) == 1
