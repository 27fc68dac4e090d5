"""Header fields that are written say what was meant, and nothing more."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroad.message.header import Header
from postroad.message.mime import addresses_of, text_of
from postroad.message.mime.forms import as_groups, as_message_ids
from postroad.message.mime.write_fields import (
    address_list,
    groups,
    message_ids,
    raw_value,
    text_value,
    urls,
)
from postroad.message.newfield import NewField

SAID = st.text(st.characters(exclude_categories=["C"]), max_size=200)


def one_field(value: str) -> bytes:
    """The field, read again: one, whatever is in it."""
    raw = NewField("X-Field", value).to_bytes()
    header = Header.parse(raw + b"\r\n")
    assert [field.name for field in header.fields] == ["X-Field"]
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    return raw.partition(b":")[2]


@given(SAID)
def test_texts(text: str) -> None:
    value = text_value(text)
    assert value.isascii()
    read = text_of(one_field(value))
    assert "".join(read.split()) == "".join(text.split())


@given(SAID.map(str.strip), st.sampled_from(["a@b.test", '"a b"@b.test', "ä@b.test"]))
def test_addresses(name: str, email: str) -> None:
    (found,) = addresses_of(one_field(address_list([{"name": name, "email": email}])))
    assert found.address == email
    assert "".join(found.name.split()) == "".join(name.split())


def test_groups() -> None:
    given = [
        {"name": "Team", "addresses": [{"email": "a@b.test"}, {"name": "C", "email": "c@d.test"}]},
        {"name": None, "addresses": [{"email": "e@f.test"}]},
    ]
    found = as_groups(one_field(groups(given)))
    assert [(group.name, len(group.addresses)) for group in found] == [("Team", 2), (None, 1)]


def test_ids_and_urls() -> None:
    ids = [f"{n}@{'x' * 60}.test" for n in range(20)]
    assert as_message_ids(one_field(message_ids(ids))) == ids
    assert one_field(urls(["https://a.test/x", "mailto:b@c.test"])).count(b"<") == 2


WRONG: list[tuple[Any, Any]] = [
    (text_value, 1),
    (text_value, "a\x00"),
    (address_list, [{"email": "a b@c.test"}]),
    (address_list, [{"email": "a@b.test>\r\nX: y"}]),
    (address_list, [{"email": "a@b.test, c@d.test"}]),
    (address_list, [{}]),
    (address_list, "a@b.test"),
    (address_list, [{"email": "a@b.test", "name": "x\x07"}]),
    (message_ids, []),
    (message_ids, ["<a@b>"]),
    (message_ids, ["a b"]),
    (urls, ["a b"]),
    (urls, [1]),
    (raw_value, " a\r\nX: y"),
    (raw_value, "a\n\n"),
    (raw_value, "a\r\n \r\n b"),
    (raw_value, "x" * 901),
    (raw_value, None),
]


@pytest.mark.parametrize(
    ("write", "value"), WRONG, ids=lambda value: getattr(value, "__name__", str(value)[:30])
)
def test_what_cannot_be_said(write: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        write(value)


def test_raw_values_are_as_they_were() -> None:
    assert one_field(raw_value(" a b\r\n\tc")) == b" a b\r\n\tc\r\n"
    assert text_of(one_field(raw_value("ä"))) == "ä"


@example("a\rb")
@example("a\n\rb")
@given(st.text(max_size=60))
def test_line_ends_of_strangers_begin_no_field(text: str) -> None:
    for write in (text_value, raw_value):
        try:
            value = write(text)
        except ValueError:
            continue
        if value.strip():
            one_field(value)
