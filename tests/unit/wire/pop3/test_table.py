from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.pop3.table import PIECE_MESSAGES, MessageTable
from tests.unit.wire.pop3.driving import big_listing, listing_of


@given(st.sets(st.integers(0, 9)))
def test_marks_and_totals(marked: set[int]) -> None:
    table = MessageTable(listing_of([b"x" * (index + 1) for index in range(10)]))
    for index in marked:
        table.delete(index)
    left = [index for index in range(10) if index not in marked]
    assert list(table.deleted()) == sorted(marked)
    assert (table.count, table.octets) == (len(left), sum(index + 1 for index in left))
    assert [index for index in range(-1, 12) if table.has(index)] == left
    expected = "".join(f"{index + 1} {index + 1}\r\n" for index in left) + ".\r\n"
    assert b"".join(table.scan_lines()) == expected.encode()
    expected = "".join(f"{index + 1} 1700000000.{index + 11}\r\n" for index in left) + ".\r\n"
    assert b"".join(table.unique_id_lines()) == expected.encode()
    table.reset()
    assert (table.count, table.octets, table.deleted()) == (10, 55, ())


def test_pieces_are_bounded_and_complete() -> None:
    count = 3 * PIECE_MESSAGES + 1
    table = MessageTable(big_listing(count))
    pieces = list(table.unique_id_lines())
    assert max(map(len, pieces)) <= 64 * 1024
    assert b"".join(pieces).count(b"\r\n") == count + 1


def test_unique_ids_are_short_and_printable() -> None:
    table = MessageTable(big_listing(3))
    assert [table.unique_id(index) for index in range(3)] == [
        "1700000000.1",
        "1700000000.2",
        "1700000000.3",
    ]


def test_an_empty_maildrop() -> None:
    table = MessageTable(listing_of([]))
    assert b"".join(table.scan_lines()) == b".\r\n"
    assert not table.has(0)
    assert table.deleted() == ()
