import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model import InvalidId, format_id, parse_id

ids = st.integers(0, 2**63 - 1)


@given(ids)
def test_there_and_back(number: int) -> None:
    text = format_id(number)
    assert len(text) == 13
    assert parse_id(text) == parse_id(text.lower()) == number


@given(ids, ids)
def test_text_sorts_as_the_numbers(one: int, other: int) -> None:
    assert (format_id(one) < format_id(other)) == (one < other)


@pytest.mark.parametrize("text", ["", "0", "0" * 14, "U" * 13, "8" + "0" * 12, "../../etc/pwd"])
def test_refused(text: str) -> None:
    with pytest.raises(InvalidId):
        parse_id(text)
