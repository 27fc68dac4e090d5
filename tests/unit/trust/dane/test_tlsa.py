"""TLSA records: read, written, usable or not, and what they tell of."""

import hashlib

import pytest

from postroad.trust.dane import Tlsa, parse_tlsa, usable
from tests.unit.trust.dane.chains import certificate

LEAF = certificate("mx.test")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 1 1 00ff", Tlsa(3, 1, 1, b"\x00\xff")),
        ("3 1 1 00 FF", Tlsa(3, 1, 1, b"\x00\xff")),
        ("3 1 1", None),
        ("3 1 x 00", None),
        ("3 1 256 00", None),
        ("3 1 1 0", None),
        ("3 1 1 zz", None),
        ("-3 1 1 00", None),
        ("3 1 0 " + "00" * 16_385, None),
        ("", None),
    ],
)
def test_reading(text: str, expected: Tlsa | None) -> None:
    assert parse_tlsa(text) == expected


def test_written_and_read_again() -> None:
    record = Tlsa(2, 0, 1, bytes(range(32)))
    assert parse_tlsa(record.text) == record
    assert str(record) == "2 0 1 0001020304050607…"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (Tlsa(3, 1, 1, bytes(32)), True),
        (Tlsa(2, 0, 2, bytes(64)), True),
        (Tlsa(3, 0, 0, LEAF.der), True),
        (Tlsa(3, 1, 0, LEAF.spki), True),
        (Tlsa(0, 1, 1, bytes(32)), False),  # RFC 7672 §3.1.3
        (Tlsa(1, 1, 1, bytes(32)), False),
        (Tlsa(4, 1, 1, bytes(32)), False),
        (Tlsa(3, 2, 1, bytes(32)), False),
        (Tlsa(3, 1, 3, bytes(32)), False),
        (Tlsa(3, 1, 1, bytes(31)), False),
        (Tlsa(3, 1, 2, bytes(32)), False),
        (Tlsa(3, 0, 0, LEAF.der[:-1]), False),
        (Tlsa(3, 1, 0, LEAF.der), False),
        (Tlsa(3, 1, 0, b""), False),
    ],
)
def test_usable(record: Tlsa, expected: bool) -> None:
    assert usable([record]) == ((record,) if expected else ())


def test_what_fits() -> None:
    for selector, octets in ((0, LEAF.der), (1, LEAF.spki)):
        for matching, data in (
            (0, octets),
            (1, hashlib.sha256(octets).digest()),
            (2, hashlib.sha512(octets).digest()),
        ):
            record = Tlsa(3, selector, matching, data)
            assert record.fits(LEAF.der, LEAF.spki)
            assert not record.fits(LEAF.der[:-1] + b"\0", LEAF.spki[:-1] + b"\0")
