from collections.abc import Iterator

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


def test_much_goes_in_parts_in_order() -> None:
    outbox = Outbox()
    for number in range(100):
        outbox.put(b"%04d" % number * 1024)
    assert outbox.full
    parts = drain(outbox)
    assert max(map(len, parts)) <= SEND_OCTETS + 4096
    assert b"".join(parts) == b"".join(b"%04d" % number * 1024 for number in range(100))
    assert outbox.octets == 0


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
