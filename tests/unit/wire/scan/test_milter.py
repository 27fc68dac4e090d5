"""The milter protocol: what is said step by step, and what is made of the answers."""

import struct
from typing import Any

import pytest

from postroad.wire.scan import ScanFailed
from postroad.wire.scan.milter import (
    MAX_CHANGES,
    MAX_PACKET_OCTETS,
    Milter,
    Outcome,
    PacketReader,
    Told,
    negotiation,
    packet,
)

TOLD = Told(
    client="192.0.2.1",
    name="mx.sender.test",
    helo="sender.test",
    sender="ann@sender.test",
    recipients=("bob@us.test", "jo@us.test"),
    fields=((b"Subject", b" one\r\n two"), (b"X", b"y")),
    body=(b"hello\r\n", b"x" * 70_000),
    macros=(("j", "mx.us.test"),),
)


def agreed(flags: int = 0, actions: int = 0, version: int = 6) -> Milter:
    machine = Milter()
    machine.agree("O", struct.pack("!III", version, actions, flags))
    return machine


def packets(octets: bytes) -> list[tuple[str, bytes]]:
    reader = PacketReader()
    reader.feed(octets)
    found = []
    while (each := reader.next()) is not None:
        found.append(each)
    return found


def told(machine: Milter, given: Told = TOLD) -> list[tuple[str, bytes]]:
    """Everything that is said, with the milter going on at each step, but for macros."""
    said = []
    for step in machine.steps(given):
        said += [each for each in packets(step.octets) if each[0] != "D"]
        if step.answered:
            assert machine.take("c", b"")
    return said


def test_packets_at_every_split() -> None:
    octets = packet("c") + packet("y", b"550 5.7.1 no\0") + packet("p")
    for cut in range(1, len(octets)):
        reader = PacketReader()
        found = []
        for piece in (octets[:cut], octets[cut:]):
            reader.feed(piece)
            while (each := reader.next()) is not None:
                found.append(each)
        assert found == [("c", b""), ("y", b"550 5.7.1 no\0"), ("p", b"")]


@pytest.mark.parametrize("length", [0, MAX_PACKET_OCTETS + 1, 2**32 - 1])
def test_packets_are_bounded(length: int) -> None:
    reader = PacketReader()
    reader.feed(struct.pack("!I", length) + b"c")
    with pytest.raises(ScanFailed, match=f"a packet of {length} octets"):
        reader.next()


def test_the_end_of_the_connection() -> None:
    with pytest.raises(ScanFailed, match="closed"):
        PacketReader().feed(b"")


def test_the_whole_story() -> None:
    ((letter, data),) = packets(negotiation())
    assert (letter, struct.unpack("!III", data)[:2]) == ("O", (6, 0x31))
    said = told(agreed())
    assert said == [
        ("C", b"mx.sender.test\x004\x00\x00192.0.2.1\x00"),
        ("H", b"sender.test\x00"),
        ("M", b"<ann@sender.test>\x00"),
        ("R", b"<bob@us.test>\x00"),
        ("R", b"<jo@us.test>\x00"),
        ("T", b""),
        ("L", b"Subject\x00one\n two\x00"),
        ("L", b"X\x00y\x00"),
        ("N", b""),
        ("B", b"hello\r\n"),
        ("B", b"x" * 65_535),
        ("B", b"x" * 4465),
        ("E", b""),
    ]


def test_macros_come_before_the_step_that_they_are_for() -> None:
    first, _, mail, *_ = agreed().steps(TOLD)
    assert packets(first.octets)[0] == ("D", b"Cj\0mx.us.test\0")
    assert packets(mail.octets)[0] == ("D", b"Mj\0mx.us.test\0{mail_addr}\0ann@sender.test\0")


def test_what_a_milter_does_without() -> None:
    said = told(agreed(0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20 | 0x40 | 0x200))
    assert said == [("E", b"")]
    assert ("L", b"Subject\x00 one\n two\x00") in told(agreed(0x100000))
    quiet = [step for step in agreed(0x80 | 0x80000).steps(TOLD) if not step.answered]
    assert {step.letter for step in quiet} == {"L", "B"}


@pytest.mark.parametrize(
    ("client", "name", "wanted"),
    [
        ("2001:db8::1", "", b"[2001:db8::1]\x006\x00\x002001:db8::1\x00"),
        ("", "", b"localhost\x00U"),
    ],
)
def test_clients(client: str, name: str, wanted: bytes) -> None:
    given = Told(client=client, name=name, helo="", sender="", recipients=(), fields=(), body=())
    said = told(agreed(), given)
    assert said[0] == ("C", wanted)
    assert ("M", b"<>\x00") in said


def test_nul_cannot_end_a_name_early() -> None:
    given = Told(
        client="", name="", helo="a\0b", sender="", recipients=("x\0y@z",), fields=(), body=()
    )
    said = told(agreed(), given)
    assert ("H", b"a?b\x00") in said
    assert ("R", b"<x?y@z>\x00") in said


@pytest.mark.parametrize("letter", "adrtf")
def test_a_milter_that_has_decided_is_told_no_more(letter: str) -> None:
    machine = agreed()
    said = []
    for step in machine.steps(TOLD):
        said.append(step.letter)
        assert machine.take(letter if step.letter == "R" else "c", b"")
    assert said == ["C", "H", "M", "R"]
    assert machine.answer.outcome is Outcome(letter)


def test_one_that_has_seen_enough_of_the_body() -> None:
    machine = agreed()
    said = []
    for step in machine.steps(TOLD):
        said.append(step.letter)
        machine.take("s" if step.letter == "B" else "c", b"")
    assert said[-2:] == ["B", "E"]
    assert said.count("B") == 1


def test_what_it_asks_for_at_the_end() -> None:
    machine = agreed()
    assert not machine.take("p", b"")
    assert not machine.take("h", b"X-One\0a\0")
    assert not machine.take("i", b"\0\0\0\1X-Two\0b\n\tc\0")
    assert not machine.take("m", b"\0\0\0\1Subject\0new\0")
    assert not machine.take("m", b"\0\0\0\1X-Old\0\0")
    assert not machine.take("q", b"looks odd\0")
    assert machine.take("y", b"451 4.7.1 later\0")
    answer = machine.answer
    assert answer.headers == (("X-One", "a"), ("X-Two", "b\n\tc"))
    assert answer.not_done == ("change Subject", "remove X-Old")
    assert (answer.quarantine, answer.reply) == ("looks odd", "451 4.7.1 later")
    assert answer.outcome is Outcome.REPLY


@pytest.mark.parametrize(
    ("letter", "data"),
    [("+", b"<x@y>\0"), ("b", b"body"), ("e", b"x\0"), ("h", b"X"), ("\xff", b"")],
)
def test_what_it_must_not_say(letter: str, data: bytes) -> None:
    with pytest.raises(ScanFailed):
        agreed().take(letter, data)


def test_what_it_says_is_bounded() -> None:
    machine: Any = agreed()
    for _ in range(MAX_CHANGES):
        machine.take("h", b"X\0y\0")
    with pytest.raises(ScanFailed, match="changes"):
        machine.take("h", b"X\0y\0")
    machine = agreed()
    for _ in range(10_000):
        assert not machine.take("p", b"")
    with pytest.raises(ScanFailed, match="too much"):
        machine.take("p", b"")


@pytest.mark.parametrize(
    ("letter", "data"),
    [
        ("c", b""),
        ("O", b"\0\0\0\6"),
        ("O", struct.pack("!III", 1, 0, 0)),
        ("O", struct.pack("!III", 7, 0, 0)),
        ("O", struct.pack("!III", 6, 0x02, 0)),
        ("O", struct.pack("!III", 6, 0, 0x10000000)),
    ],
)
def test_no_agreement(letter: str, data: bytes) -> None:
    with pytest.raises(ScanFailed):
        Milter().agree(letter, data)
