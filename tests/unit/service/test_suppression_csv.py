"""Tables: there and back, in bounded memory, and what is wrong with a line."""

import tracemalloc
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model import Address, Suppression, SuppressionReason
from postroad.service.errors import Refused
from postroad.service.suppression_csv import COLUMNS, line_of, line_of_entry, opened, read_rows

NOW = 1_795_600_000.0


def stream(name: str) -> str:
    if name != "news":
        raise Refused(f"the stream {name!r} has no suppression list")
    return name


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "line 1: the columns"),
        ("email,stream\n", "line 1: the columns"),
        ("address,stream\nnobody,news\n", "line 2: address has no @"),
        ("address,stream\njo@there.test,bulk\n", "line 2: the stream 'bulk'"),
        (
            "address,stream,reason\njo@there.test,news,odd\n",
            "line 2: 'odd' is no reason; these are hard-bounce",
        ),
        ("address,stream,since\njo@there.test,news,soon\n", "line 2: Invalid isoformat"),
        ('address,stream\n"jo@there.test,news\n', "unexpected end"),
        ("address,stream,evidence\njo@there.test,news," + "x" * 10_001, "line 2: a cell"),
        ("address,stream\njo@there.test,news\nann@there.test\n", "line 3: the stream ''"),
        ("address,stream\n" + "x" * 200_000, "line 2: it has more than 65536"),
        ("address,stream,since\njo@there.test,news,9999-12-31T23:59:59-23:00\n", "line 2: "),
        ("address,stream\njo@there.test,news\n\0", "line 3: "),
    ],
)
def test_a_wrong_line_is_named(text: str, wrong: str) -> None:
    with pytest.raises(Refused, match=wrong):
        list(read_rows(StringIO(text, newline=""), stream, NOW))


def test_octets_that_are_no_text_are_named() -> None:
    file = opened(BytesIO(b"address,stream,evidence\njo@there.test,news,\xc3\xa9\nx\xff@x,news,\n"))
    with pytest.raises(Refused, match="line 3: it is no UTF-8"):
        list(read_rows(file, stream, NOW))


def test_a_mark_of_byte_order_is_no_part_of_a_name() -> None:
    file = opened(BytesIO(b"\xef\xbb\xbfaddress,stream\njo@there.test,news\n"))
    (entry,) = read_rows(file, stream, NOW)
    assert entry == Suppression(
        Address("jo", "there.test"), "news", SuppressionReason.MANUAL, "", NOW
    )


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=100),
    st.sampled_from(SuppressionReason),
    st.integers(0, 4_000_000_000),
)
def test_there_and_back(evidence: str, reason: SuppressionReason, since: int) -> None:
    entry = Suppression(
        Address("a,b", "there.test"), "news", reason, evidence.strip(), float(since)
    )
    text = line_of(COLUMNS) + line_of_entry(entry)
    assert list(read_rows(StringIO(text, newline=""), stream, NOW)) == [entry]


def test_a_long_table_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    with path.open("w") as file:
        file.write("address,stream\n")
        file.writelines(f"somebody{number}@there.test,news\n" for number in range(50_000))
    with opened(path.open("rb")) as table:
        tracemalloc.start()
        count = sum(1 for _ in read_rows(table, stream, NOW))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 50_000
    assert most < 500_000


@pytest.mark.parametrize("local", ["=cmd|'/ccalc'!a0", "+1", "-1", '"=1"'])
def test_an_address_is_no_formula(local: str) -> None:
    entry = Suppression(
        Address.parse(f"{local}@there.test"), "news", SuppressionReason.UNSUBSCRIBE, "", NOW
    )
    line = line_of_entry(entry)
    assert line.lstrip('"')[0] not in "=+-@"
    table = StringIO(line_of(COLUMNS) + line)
    assert [each.address for each in read_rows(table, stream, NOW)] == [entry.address]
