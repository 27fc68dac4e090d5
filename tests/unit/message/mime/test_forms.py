"""Forms of header fields: what is read, and that nothing raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.mime.forms import (
    as_addresses,
    as_date,
    as_groups,
    as_message_ids,
    as_raw,
    as_text,
    as_urls,
    date_text,
)


def test_raw_and_text() -> None:
    assert as_raw(b" =?utf-8?q?=C3=A4?=\r\n b\r\n") == " =?utf-8?q?=C3=A4?=\r\n b"
    assert as_text(b" =?utf-8?q?a=CC=88?=\r\n b\r\n") == "ä b", "in NFC"


def test_groups_and_addresses() -> None:
    value = (
        b' "James" <j@x.test>, Friends: jane@x.test, =?utf-8?q?J=C3=B6?= <jo@x.test>;, z@x.test\r\n'
    )
    assert [(each.name, each.address) for each in as_addresses(value)] == [
        ("James", "j@x.test"),
        ("", "jane@x.test"),
        ("Jö", "jo@x.test"),
        ("", "z@x.test"),
    ]
    assert [(group.name, len(group.addresses)) for group in as_groups(value)] == [
        (None, 1),
        ("Friends", 2),
        (None, 1),
    ]


def test_ids_and_urls() -> None:
    assert as_message_ids(b" <a@b> (comment <c@d>)\r\n <e@f>\r\n") == ["a@b", "e@f"]
    assert as_message_ids(b" nothing\r\n") is None
    assert as_urls(b" <https://x.test/a>, <mailto:a@b>\r\n") == ["https://x.test/a", "mailto:a@b"]
    many = as_message_ids(b"".join(b"<%d@x>" % n for n in range(1000)))
    assert many is not None
    assert (many[0], many[-1], len(many)) == ("0@x", "999@x", 200)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" Wed, 25 Nov 2026 12:00:00 +0200\r\n", "2026-11-25T12:00:00+02:00"),
        (b" 25 Nov 2026 12:00:00 +0000 (UTC)\r\n", "2026-11-25T12:00:00Z"),
        (b" 25 Nov 26 12:00 GMT", "2026-11-25T12:00:00Z"),
        (b" Wed, 25 Nov 1999 12:00:60 EST", "1999-11-25T12:00:59-05:00"),
        (b" Wed, 25-Nov-98 12:00:00 -0730", "1998-11-25T12:00:00-07:30"),
        (b" 31 Feb 2026 12:00:00 +0000", None),
        (b" 25 Xyz 2026 12:00:00 +0000", None),
        (b" tomorrow", None),
        (b" 25 Nov 2026 25:00:00 +0000", None),
        (b" 25 Nov 2026 12:00:00 +9999", "2026-11-25T12:00:00Z"),
    ],
    ids=str,
)
def test_dates(value: bytes, expected: str | None) -> None:
    date = as_date(value)
    assert (None if date is None else date_text(date)) == expected


@given(st.binary(max_size=300))
def test_nothing_raises(value: bytes) -> None:
    for form in (as_raw, as_text, as_addresses, as_groups, as_message_ids, as_urls, as_date):
        form(value)
