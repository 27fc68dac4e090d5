"""Return paths of ours under attack: nothing forged is noted, nobody else's mail is spoken for."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from postroad.model import (
    Accepted,
    Address,
    Bounced,
    Complained,
    Delivery,
    DeliveryState,
    Envelope,
    Group,
    Message,
    Origin,
    Recipient,
    ServerKind,
)
from postroad.runtime.compose import System
from postroad.trust.return_path import ReturnPaths, ReturnTo
from tests.attacks.serving import connected, serving
from tests.unit.message.bounce.test_odd import HOSTILE

NEWS, JO, ANN = Address("news", "us.test"), Address("jo", "far.test"), Address("ann", "far.test")
BASE, LOOP = Address("bounce", "us.test"), "fbl@us.test"


@asynccontextmanager
async def sent(tmp_path: Path) -> AsyncIterator[tuple[System, int]]:
    """A server that has sent a message of the stream `news` to two recipients; its id."""
    streams = {"news": {"senders": [str(NEWS)], "return_path": str(BASE), "suppression": True}}
    limits = {"tarpit_seconds": 0.01}
    bounces = {"complaints": [LOOP]}
    async with serving(tmp_path, streams=streams, bounces=bounces, limits=limits) as system:
        number = system.office.entropy.id()
        writer = system.store.content.stage(number)
        writer.write(b"Subject: x\r\n\r\nhi\r\n")
        staged = await writer.finish()
        envelope = Envelope(NEWS, (Recipient(JO), Recipient(ANN)))
        origin = Origin(ServerKind.SUBMISSION)
        message = Message(number, envelope, staged.ref, origin, time.time(), stream="news")
        done = DeliveryState.DELIVERED
        deliveries = tuple(
            Delivery(number, n, to, to, to.domain, state=done) for n, to in enumerate((JO, ANN))
        )
        change = Accepted(time.time(), message, deliveries)
        await system.store.ledger.commit(Group((change,), (staged,)))
        yield system, number


def path(system: System, message: int, ordinal: int | None) -> Address:
    return system.office.return_paths.make(BASE, ReturnTo(message, ordinal), time.time())


def bounce(recipient: str, status: str = "5.1.1") -> bytes:
    return (
        "From: MAILER-DAEMON@far.test\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.far.test\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} no such user\r\n\r\n--b--\r\n"
    ).encode()


def complaint(original: str) -> bytes:
    return (
        "From: fbl@isp.test\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n"
        f"Original-Mail-From: <{original}>\r\nOriginal-Rcpt-To: <{JO}>\r\n\r\n--b--\r\n"
    ).encode()


async def hand_in(system: System, recipient: str, data: bytes) -> str:
    """Return the last reply."""
    async with connected(system) as client:
        for line in ("EHLO client.test", "MAIL FROM:<>", f"RCPT TO:<{recipient}>", "DATA"):
            reply = await client.ask(line)
            if reply[0] not in "23":
                return reply
        client.send(data + b"\r\n.\r\n")
        return await client.reply()


async def settled(system: System) -> None:
    """Wait until nothing is in the queue."""
    for _ in range(1_000):
        if not any((await system.desk.counts()).values()) and not system.queue.in_memory:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("mail waits for ever")


async def noted(system: System, message: int) -> list[Bounced | Complained]:
    events = await system.store.journey.events(message)
    return [e.change for e in events if isinstance(e.change, Bounced | Complained)]


async def test_forged_marks_are_unknown_users_and_cost_as_such(tmp_path: Path) -> None:
    async with sent(tmp_path) as (system, number):
        good = path(system, number, 0)
        other = ReturnPaths(b"the secret of somebody else").make(
            BASE, ReturnTo(number, 0), time.time()
        )
        old = system.office.return_paths.make(BASE, ReturnTo(number, 0), time.time() - 40 * 86_400)
        changed = Address(f"{good.local_part[:-2]}aa", good.domain)
        for forged in (other, old, changed):
            reply = await hand_in(system, str(forged), bounce(str(JO)))
            assert reply == f"550 5.1.1 <{forged}> No such user here\r\n"
        async with connected(system) as client:
            await client.ask("EHLO client.test")
            await client.ask("MAIL FROM:<>")
            replies = []
            for number_ in range(30):
                letters = f"{number_:02d}".translate(str.maketrans("0123456789", "abcdefghij"))
                token = letters + "a" * 34
                replies.append(await client.ask(f"RCPT TO:<bounce+{token}@us.test>"))
                if replies[-1].startswith("421"):
                    break
            assert replies[-1].startswith("421 4.7.0")
            assert all(each.startswith("550 5.1.1") for each in replies[:-1])
        assert await noted(system, number) == []


async def test_who_got_one_message_speaks_for_nobody_else(tmp_path: Path) -> None:
    async with sent(tmp_path) as (system, number):
        mark = str(path(system, number, 0))
        assert (await hand_in(system, mark, bounce(str(ANN)))).startswith("250")
        await settled(system)
        assert [each.ordinal for each in await noted(system, number)] == [0]
        listed = [str(each.address) for each in await system.office.suppressions.find("news")]
        assert listed == [str(JO)]


async def test_complaints_without_a_good_mark_list_nobody(tmp_path: Path) -> None:
    async with sent(tmp_path) as (system, number):
        for bad in (str(NEWS), f"bounce+{'a' * 36}@us.test", "x@y.test", "", "bounce+@us.test"):
            assert (await hand_in(system, LOOP, complaint(bad))).startswith("250")
        await settled(system)
        assert await noted(system, number) == []
        assert await system.office.suppressions.find() == []
        good = str(path(system, number, 1))
        assert (await hand_in(system, LOOP, complaint(good))).startswith("250")
        await settled(system)
        assert [each.ordinal for each in await noted(system, number)] == [1]


async def test_hostile_reports_are_taken_and_hold_nobody_up(tmp_path: Path) -> None:
    async with sent(tmp_path) as (system, number):
        mark = str(path(system, number, 0))
        taken = 0
        for data in HOSTILE.values():
            lines = [line[:900] for line in data[:500_000].split(b"\r\n")]
            taken += (await hand_in(system, mark, b"\r\n".join(lines))).startswith("250")
        assert taken >= 10
        await settled(system)
        began = time.perf_counter()
        assert (await hand_in(system, mark, bounce(str(JO)))).startswith("250")
        await settled(system)
        assert time.perf_counter() - began < 5
        found = await noted(system, number)
        assert {each.ordinal for each in found} == {0}
        last = found[-1]
        assert isinstance(last, Bounced)
        assert str(last.reply) == "550 5.1.1 no such user"
