import time

from hypothesis import given
from hypothesis import strategies as st

from postroad.message.header import MAX_FIELDS, Header, header_end

pieces = st.lists(
    st.sampled_from(
        [
            b"\r\n",
            b"\n",
            b"\r",
            b" ",
            b"\t",
            b":",
            b"From",
            b"subject",
            b"a",
            b"\0",
            b"\xff",
            b"\xc3\xa4",
        ]
    ),
    max_size=60,
).map(b"".join)


@given(st.one_of(pieces, st.binary(max_size=300)))
def test_never_raises_and_loses_nothing(data: bytes) -> None:
    header = Header.parse(data)
    end = header_end(data)
    assert b"".join(field.raw for field in header.fields) == (data if end < 0 else data[: end - 2])
    for field in header.fields:
        assert not field.name or field.raw.lstrip().startswith(field.name.encode())
        assert header.count(field.name) == sum(
            each.name.lower() == field.name.lower() for each in header.fields if field.name
        )


@given(pieces, st.integers(0, 100))
def test_the_end_of_a_header_does_not_depend_on_what_follows(data: bytes, cut: int) -> None:
    end = header_end(data)
    if end >= 0:
        assert data[:end].endswith(b"\r\n")
        assert header_end(data[:end]) == end
        assert header_end(data[: min(cut, end - 1)]) in (-1, 2)
        assert header_end(bytearray(data)) == end


def test_where_it_ends() -> None:
    assert header_end(b"") == -1
    assert header_end(b"\r\nbody") == 2
    assert header_end(b"A: b\r\n") == -1
    assert header_end(b"A: b\r\n\r\nbody\r\n\r\n") == 8
    assert header_end(b"A: b\n\nbody") == -1, "bare LF ends nothing"


def test_fields_are_unfolded_and_found_in_any_case() -> None:
    header = Header.parse(
        b"Subject: one\r\n two\r\n\tthree\r\nRECEIVED: a\r\nreceived : b\r\n"
        b"X: \xc3\xa4\xff\r\n\r\nFrom: body"
    )
    assert header.get("subject") == "one two\tthree"
    assert header.count("Received") == 2
    assert header.get("Received") == "a"
    assert header.get_all("received") == ["a", "b"]
    assert header.get("x") == "ä\ufffd"
    assert header.get("From") is None
    assert header.count("From") == 0
    assert header.complete


def test_what_is_no_field_has_no_name() -> None:
    header = Header.parse(b" led by space\r\nno colon\r\nspace in: name\r\nA: b\r\n\r\n")
    assert [field.name for field in header.fields] == ["", "", "", "A"]
    assert header.get("") is None


def test_the_number_of_fields_is_bounded_and_the_rest_is_kept() -> None:
    data = b"a: b\r\n" * (MAX_FIELDS + 5)
    header = Header.parse(data)
    assert not header.complete
    assert len(header.fields) == MAX_FIELDS + 1
    assert header.fields[-1].name == ""
    assert b"".join(field.raw for field in header.fields) == data
    assert Header.parse(b"a: b\r\n" * MAX_FIELDS).complete


def test_time_is_linear() -> None:
    def seconds(data: bytes) -> float:
        started = time.perf_counter()
        Header.parse(data)
        return time.perf_counter() - started

    for unit in (b"a:\r\n", b"a:\r\n b\r\n", b" \r\n", b"\t", b":", b"a", b"a \t"):
        data = unit * (2 * 2**20 // len(unit))
        assert seconds(data) < 2.0, unit
