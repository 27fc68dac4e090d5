from collections.abc import Iterator

import pytest

from postroad.wire.pop3.outbox import SEND_OCTETS, Outbox


def drain(outbox: Outbox) -> list[bytes]:
    taken = []
    while data := outbox.take():
        taken.append(data)
    return taken


def test_short_answers_go_together() -> None:
    outbox = Outbox()
    outbox.put(b"a")
    outbox.put(b"b")
    assert not outbox.full
    assert drain(outbox) == [b"ab"]


@pytest.mark.parametrize("in_parts", [False, True])
def test_what_is_much_is_full_until_it_is_taken(in_parts: bool) -> None:
    outbox = Outbox()
    for _ in range(2):
        for number in range(17):
            assert not outbox.full
            if in_parts:
                outbox.put_parts((b"%04d" % number, b"x" * 4092), 4096)
            else:
                outbox.put(b"%04d" % number + b"x" * 4092)
        assert outbox.full
        assert outbox.octets == SEND_OCTETS + 4096
        assert drain(outbox) == [b"".join(b"%04d" % n + b"x" * 4092 for n in range(17))]
        assert outbox.octets == 0


def test_a_long_answer_behind_much_waits_until_that_is_taken() -> None:
    outbox = Outbox()
    outbox.put(b"a" * (SEND_OCTETS + 1))
    outbox.put_long(iter([b"b", b"c"]))
    assert drain(outbox) == [b"a" * (SEND_OCTETS + 1), b"b", b"c"]
    assert not outbox.full


def test_clear_forgets_everything() -> None:
    outbox = Outbox()
    outbox.put(b"a" * (SEND_OCTETS + 1))
    outbox.put_long(iter([b"b"]))
    outbox.clear()
    assert (outbox.full, outbox.octets, outbox.take()) == (False, 0, b"")


def test_a_long_answer_is_made_as_it_is_taken() -> None:
    made = 0

    def pieces() -> Iterator[bytes]:
        nonlocal made
        for _ in range(1000):
            made += 1
            yield b"x" * 60_000

    outbox = Outbox()
    outbox.put(b"+OK\r\n")
    outbox.put_long(pieces())
    for taken in range(5):
        assert outbox.full
        assert made <= taken + 2
        assert len(outbox.take()) <= 2 * SEND_OCTETS


def test_what_is_cut_off_is_not_made() -> None:
    outbox = Outbox()
    outbox.put(b"a")
    outbox.put_long(iter([b"b", b"c"]))
    outbox.cut()
    assert drain(outbox) == [b"a"]
