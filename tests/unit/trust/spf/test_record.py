import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.trust.spf import InvalidRecord, SpfResult, is_spf, read_record
from postroad.trust.spf.record import MAX_RECORD_OCTETS, Kind


def test_a_record() -> None:
    record = read_record(
        "v=spf1  +A/24//64 ~mx:%{d2}/30 -ip4:192.0.2.0/24 ?ip6:2001:db8::/32 include:a.example "
        "ptr exists:%{i}.b.example x-y=%{d} exp=c.example redirect=d.example "
    )
    kinds = [each.kind for each in record.mechanisms]
    assert kinds == [
        Kind.A,
        Kind.MX,
        Kind.IP4,
        Kind.IP6,
        Kind.INCLUDE,
        Kind.PTR,
        Kind.EXISTS,
    ]
    a, mx, ip4, ip6 = record.mechanisms[:4]
    assert (a.result, a.shift4, a.shift6, a.target) == (SpfResult.PASS, 8, 64, None)
    assert (mx.result, mx.shift4, mx.shift6) == (SpfResult.SOFTFAIL, 2, 0)
    assert mx.target is not None
    assert mx.target.text == "%{d2}"
    assert (ip4.result, ip4.network) == (SpfResult.FAIL, 0xC00002)
    assert (ip6.result, ip6.network) == (SpfResult.NEUTRAL, 0x20010DB8)
    assert record.redirect is not None
    assert record.redirect.text == "d.example"
    assert record.explanation is not None
    assert record.explanation.text == "c.example"


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ("foo", "no mechanism 'foo'"),
        ("-all:x", "all takes nothing"),
        ("ip4", "no network"),
        ("ip4:1.2.3.4/33", "no prefix length"),
        ("ip4:1.2.3.04", ""),
        ("ip6:fe80::1%eth0", "no network"),
        ("ip6:2001:db8::/0129", "no prefix length"),
        ("a/24/64", ""),
        ("include", "the domain is missing"),
        ("exists:", "the domain is missing"),
        ("ptr/24", "is no domain"),
        ("redirect=a.example redirect=b.example", "twice"),
        ("exp=%{c}.example", "outside of explanations"),
        ("x=%", "no macro"),
        ("a:1.2.3.4", "ip4:"),
        ("a:\u00fc.example", "not ASCII"),
        ("a\rall", ""),
        ("=all", "neither"),
        ("a:" + "x." * 300 + "example", "longer than 512"),
    ],
)
def test_what_is_wrong_is_told(terms: str, why: str) -> None:
    for _ in range(2):  # read, and from the cache
        with pytest.raises(InvalidRecord) as caught:
            read_record(f"v=spf1 {terms} -all")
        assert why in str(caught.value)


@pytest.mark.parametrize("text", ["v=spf1", "V=SpF1 -all", "v=spf1 "])
def test_what_is_spf(text: str) -> None:
    assert is_spf(text)


@pytest.mark.parametrize("text", ["", "v=spf", "v=spf10", "v=spf1-all", " v=spf1", "v=spf1\t-all"])
def test_what_is_not_spf(text: str) -> None:
    assert not is_spf(text)


def test_a_record_beyond_all_bounds_is_refused_at_once() -> None:
    with pytest.raises(InvalidRecord, match="longer than"):
        read_record("v=spf1 " + "a " * 500_000)


def test_the_longest_record_is_read_in_little_time() -> None:
    for filler in ("a ", "ip4:192.0.2.1 ", "x=%{d} ", "/", "a:/1", "a" * 511 + " ", "-"):
        text = "v=spf1 " + filler * ((MAX_RECORD_OCTETS - 7) // len(filler))
        before = time.process_time()
        with contextlib.suppress(InvalidRecord):
            read_record(text)
        assert time.process_time() - before < 0.5


@given(st.text(max_size=100) | st.text("aimxp46:/.=%{}d0189-~? lncuderts", max_size=100))
def test_reading_ends_in_a_record_or_an_error(text: str) -> None:
    try:
        record = read_record(f"v=spf1 {text}")
    except InvalidRecord:
        return
    assert len(record.mechanisms) <= len(text)
