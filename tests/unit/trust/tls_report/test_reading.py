"""Reports of strangers: packed, broken, hostile."""

import gzip
import tracemalloc
import zlib

import pytest

from postroad.trust.tls_report import MAX_REPORT_OCTETS, TlsReportInvalid, read_report, unpack

GOOD = (
    b'{"organization-name":"x","date-range":{"start-datetime":"a","end-datetime":"b"},'
    b'"contact-info":"c","report-id":"d","policies":[]}'
)


def test_packed_and_plain() -> None:
    assert read_report(GOOD) == read_report(gzip.compress(GOOD))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"policies":' + b"[" * 100_000,
        GOOD.replace(b'"policies":[]', b'"policies":[1]'),
        GOOD.replace(
            b"[]",
            b"["
            + b",".join(
                [
                    b'{"policy":{"policy-type":"x","policy-domain":"y"},'
                    b'"summary":{"total-successful-session-count":1,"total-failure-session-count":0}}'
                ]
                * 1001
            )
            + b"]",
        ),
        gzip.compress(GOOD)[:-9],
        b"\x1f\x8bnothing",
        b" " * (MAX_REPORT_OCTETS + 1),
    ],
    ids=range(11),
)
def test_what_is_no_report(data: bytes) -> None:
    with pytest.raises(TlsReportInvalid):
        read_report(data)


def test_a_bomb_is_never_held_whole() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(200)) + packer.flush()
    assert len(bomb) < 2**20
    tracemalloc.start()
    try:
        with pytest.raises(TlsReportInvalid, match="unpacks to more"):
            unpack(bomb)
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_REPORT_OCTETS
    finally:
        tracemalloc.stop()


def test_a_packed_report_of_too_many_octets() -> None:
    with pytest.raises(TlsReportInvalid, match="packed report"):
        unpack(b"\x1f\x8b" + bytes(3 * 2**20))
