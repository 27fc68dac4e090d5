"""What the first hop saw: results of DMARC, each for its domain."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.header import Header
from postroad.trust import arc
from postroad.trust.arc import NO_CHAIN, SeenDmarc, first_hop_dmarc
from postroad.trust.dkim import Algorithm, generate

KEY = generate("list.test", "k1", Algorithm.ED25519_SHA256)
MESSAGE = b"From: a@a.test\r\n\r\nx"
PASS = SeenDmarc("a.test", True)
FAIL = SeenDmarc("a.test", False)
UNCLEAR = SeenDmarc("", False)


def seen(results: bytes) -> tuple[SeenDmarc, ...]:
    sealed = arc.seal(MESSAGE, KEY, results, NO_CHAIN, 1.0) + MESSAGE
    return first_hop_dmarc(Header.parse(sealed))


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (b"spf=pass; dmarc=pass (p=reject; x) header.from=a.test", [PASS]),
        (b"\r\n\tDMARC / 1 = PASS action=none header . From = \"A.test.\"", [PASS]),
        (b'dmarc=pass reason="x; y" header.from=a.test; dmarc=fail header.from=a.test', [PASS, FAIL]),
        (b"dmarc=pass header.from=a.test;dmarc=none header.from=b.test",
            [PASS, SeenDmarc("b.test", False)]),
        ("dmarc=pass header.from=bücher.test".encode(), [SeenDmarc("xn--bcher-kva.test", True)]),
        (b"dmarc=fail header.from=a.test", [FAIL]),
        (b"dmarc=passed header.from=a.test", [FAIL]),
        # for no domain that we could tell
        (b"dmarc=pass", [UNCLEAR]),
        (b"dmarc pass header.from=a.test", [UNCLEAR]),
        (b"dmarc=pass header.from=", [UNCLEAR]),
        (b"dmarc=pass header.from=@a.test", [UNCLEAR]),
        (b"dmarc=pass header.from=a.test header.from=b.test", [UNCLEAR]),
        (b"dmarc=pass nonsense header.from=a.test", [UNCLEAR]),
        (b'dmarc=pass "x header.from=a.test "', [UNCLEAR]),
        (b'dmarc=pass reason=" header.from=a.test"', [UNCLEAR]),
        # no result of DMARC
        (b"xdmarc=pass header.from=a.test", []),
        (b"dmarc-x=pass header.from=a.test", []),
        (b'spf=fail reason="; dmarc=pass header.from=a.test"', []),
        (b"spf=fail (; dmarc=pass header.from=a.test)", []),
        (b"spf=fail ((x) ; dmarc=pass header.from=a.test)", []),
        (b'spf=fail reason="; dmarc=pass header.from=a.test', []),
    ],
)  # fmt: skip
def test_what_is_seen(results: bytes, expected: list[SeenDmarc]) -> None:
    assert list(seen(b"mx.list.test; " + results)) == expected


def test_where_there_is_no_set() -> None:
    assert first_hop_dmarc(Header.parse(MESSAGE)) == ()
    broken = b"ARC-Authentication-Results: i=1; x; dmarc=pass header.from=a.test\r\n"
    assert first_hop_dmarc(Header.parse(broken + MESSAGE)) == ()


@given(st.text('dmarc=ps ;"()\\hefo.t', max_size=60))
def test_nothing_raises(text: str) -> None:
    assert all(isinstance(each, SeenDmarc) for each in seen(b"x; " + text.encode()))


@pytest.mark.parametrize("piece", [b" a=b", b"(", b'"', b'\\"', b"()", b" ", b" header.from=a"])
def test_time_is_linear(piece: bytes) -> None:
    before = time.process_time()
    seen(b"x; dmarc=pass" + piece * 50_000)
    assert time.process_time() - before < 2
