import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.header import Header
from postroad.message.newfield import NewField, fields_of


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("A B", "x"),
        ("A:", "x"),
        (".A", "x"),
        ("Ä", "x"),
        ("A" * 77, "x"),
        ("A", "x\r\nBcc: you"),
        ("A", "x\nBcc: you"),
        ("A", "x\r y"),
        ("A", "x\r\n\r\nbody"),
        ("A", "x\r\n \r\n y"),
        ("A", "x\0"),
        ("A", "x" * 998),
        ("A", "x\r\n " + "y" * 998),
    ],
)
def test_what_would_break_out_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"name of a header|has a"):
        NewField(name, value)


@given(st.text(max_size=50), st.text(max_size=60))
def test_what_is_taken_is_one_field(name: str, value: str) -> None:
    try:
        field = NewField(name, value)
    except ValueError:
        return
    data = field.to_bytes() + b"Subject: x\r\n\r\nbody"
    assert [each.name for each in Header.parse(data).fields] == [name, "Subject"]


def test_fields_of_octets() -> None:
    octets = b"A: one\r\n\ttwo\r\nB: three\r\n"
    fields = fields_of(octets)
    assert fields == (NewField("A", "one\r\n\ttwo"), NewField("B", "three"))
    assert b"".join(field.to_bytes() for field in fields) == octets
    with pytest.raises(ValueError, match="no name"):
        fields_of(b"nonsense\r\n")
