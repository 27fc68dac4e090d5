"""Milters that are scripted on loopback: what they decide becomes, and what their failing does."""

import asyncio
import ipaddress
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog.testing

from postroad.model import Origin
from postroad.network import AsyncNetwork, SystemClock
from postroad.policy import Accept, Decision, Defer, Quarantine, Reject
from postroad.policy.checks.milters import milter_check
from postroad.policy.checks.scanners import OnFailure, Scanner
from postroad.policy.checks.strangers import Strangers
from postroad.wire.scan.milter import PacketReader, packet
from tests.unit.policy.checks.asking import ALL
from tests.unit.policy.checks.test_scanners import ask as ask_check

Packets = Sequence[tuple[str, bytes]]


class Script:
    """Answers the steps that `says` names with its packets, any other by going on."""

    def __init__(self, **says: Packets | None) -> None:
        self.says = says
        self.heard: list[tuple[str, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packets = PacketReader()
        try:
            while data := await reader.read(65536):
                packets.feed(data)
                while (found := packets.next()) is not None:
                    self.heard.append(found)
                    if not await self._answer(found[0], writer):
                        return
        finally:
            writer.close()

    async def _answer(self, letter: str, writer: asyncio.StreamWriter) -> bool:
        if letter == "D":
            return True
        usual: Packets = [("c", b"")]
        if letter == "O":
            usual = [("O", struct.pack("!III", 6, 0x31, 0))]
        answer = self.says.get(letter, usual)
        if answer is None or letter == "Q":
            return False
        for each in answer:
            writer.write(packet(*each))
        await writer.drain()
        return True


@asynccontextmanager
async def milter(
    script: Script, path: Path | None = None, **settings: object
) -> AsyncIterator[Scanner]:
    if path is None:
        server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
        place = ("127.0.0.1", server.sockets[0].getsockname()[1])
    else:
        server = await asyncio.start_unix_server(script.serve, path)
        place = (str(path), 0)
    async with server:
        yield Scanner(*place, **settings)  # type: ignore[arg-type]


async def asked(
    where: Scanner,
    body: bytes = b"hello\r\n",
    strangers: Strangers = ALL,
    given: Origin | None = None,
) -> Decision:
    check = milter_check("milter", where, "mx.us.test", strangers, AsyncNetwork(), SystemClock())
    return await ask_check(check, body, given)


async def verdict(**says: Packets | None) -> Decision:
    async with milter(Script(**says)) as where:
        return await asked(where)


async def test_one_that_minds_nothing(tmp_path: Path) -> None:
    for path in (None, tmp_path / "socket"):
        script = Script()
        async with milter(script, path) as where:
            decision = await asked(where)
        assert (decision.rulings, decision.headers) == ((), ())
        letters = "".join(letter for letter, _ in script.heard if letter != "D")
        assert letters == "OCHMRRTLNBEQ"
        assert ("L", b"Subject\0x\0") in script.heard
        assert ("B", b"hello\r\n") in script.heard


@pytest.mark.parametrize("letter", ["C", "H", "M", "R", "T", "L", "N", "B", "E"])
@pytest.mark.parametrize("outcome", ["r", "t", "y", "d", "a"])
async def test_what_it_decides_at_each_step(letter: str, outcome: str) -> None:
    decision = await verdict(**{letter: [(outcome, b"554 5.7.9 go away\0")]})
    kinds = {"r": Reject, "t": Defer, "y": Reject, "d": Quarantine, "a": Accept}
    found = decision.verdict
    assert isinstance(found, kinds[outcome])
    if isinstance(found, Reject | Defer):
        said = {"r": "550 5.7.1", "t": "451 4.7.1", "y": "554 5.7.9 go away"}[outcome]
        assert str(found.reply).startswith(said)
    if outcome == "d":
        assert decision.rulings[0].reason == "asked to drop it"


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (b"450 4.2.0 wait", "450 4.2.0 wait"),
        (b"550 no codes here", "550 5.7.1 no codes here"),
        (b"550 4.7.1 codes that do not fit", "550 5.7.1 codes that do not fit"),
        (b"550-5.7.1 first\r\n550 5.7.1 second", "550 5.7.1 first"),
        (b"550 5.7.1 with \xe9 and \x1b", "550 5.7.1 with ? and ?"),
        (b"451", ""),
        (b"250 2.0.0 fine", ""),
        (b"nonsense", ""),
        (b"", ""),
    ],
)
async def test_its_own_words(text: bytes, reply: str) -> None:
    with structlog.testing.capture_logs():
        decision = await verdict(E=[("y", text + b"\0")])
    found = decision.verdict
    assert isinstance(found, Reject | Defer)
    assert str(found.reply) == (reply or "451 4.3.0 A check failed here, try again later")


async def test_what_it_adds_and_what_it_would_change() -> None:
    decision = await verdict(
        E=[
            ("h", b"X-One\0a\n\tb\0"),
            ("i", b"\0\0\0\1X-Two\0 c\0"),
            ("m", b"\0\0\0\1Subject\0***\0"),
            ("c", b""),
        ]
    )
    assert [each.to_bytes() for each in decision.headers] == [
        b"X-One: a\r\n\tb\r\n",
        b"X-Two: c\r\n",
    ]
    assert decision.rulings[0].reason == "asked to change Subject, which is not done"


async def test_what_it_puts_aside() -> None:
    decision = await verdict(E=[("q", b"odd\x1b\0"), ("h", b"X\0y\0"), ("a", b"")])
    assert isinstance(decision.verdict, Quarantine)
    assert decision.rulings[0].reason == "odd?"
    assert len(decision.headers) == 1


@pytest.mark.parametrize(
    "says",
    [
        {"O": None},
        {"O": [("c", b"")]},
        {"M": None},
        {"M": [("Z", b"")]},
        {"E": [("f", b"")]},
        {"E": [("+", b"<x@y>\0"), ("c", b"")]},
        {"E": [("h", b"Bad name\0x\0"), ("c", b"")]},
        {"E": [("h", b"X\0a\nEvil: b\0"), ("c", b"")]},
        {"E": [("h", b"X\0a\n\n body\0"), ("c", b"")]},
        {"B": []},
        {"E": [("p", b"")]},
    ],
    ids=str,
)
@pytest.mark.parametrize("failure", OnFailure)
async def test_one_that_fails(says: dict[str, Packets | None], failure: OnFailure) -> None:
    """Mail is put off, not let through, unless the operator wants it so."""
    with structlog.testing.capture_logs() as logs:
        async with milter(Script(**says), seconds=0.3, failure=failure) as where:
            decision = await asked(where)
    assert f"milter at {where}: " in decision.rulings[0].reason
    if failure is OnFailure.ACCEPT:
        assert isinstance(decision.verdict, Accept)
        return
    assert isinstance(decision.verdict, Defer)
    assert decision.verdict.reply.code == 451
    assert logs[0]["scanner"] == "milter"


async def test_one_that_is_gone(tmp_path: Path) -> None:
    for place in (("127.0.0.1", 1), (str(tmp_path / "nothing"), 0)):
        with structlog.testing.capture_logs():
            decision = await asked(Scanner(*place))
        assert isinstance(decision.verdict, Defer)
        assert decision.verdict.reply.code == 451


async def test_what_is_not_shown() -> None:
    where = Scanner("127.0.0.1", 1, max_octets=1024)
    decision = await asked(where, b"x" * 2000)
    assert decision.rulings[0].reason == "not asked: larger than 1024 octets"
    exempt = Strangers((ipaddress.ip_network("192.0.2.0/24"),))
    assert (await asked(where, strangers=exempt)).rulings == ()
