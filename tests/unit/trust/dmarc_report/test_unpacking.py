"""Packed reports, and bombs."""

import gzip
import io
import tracemalloc
import zipfile

import pytest

from postroad.trust.dmarc_report.report import ReportInvalid
from postroad.trust.dmarc_report.unpacking import MAX_PACKED_OCTETS, MAX_REPORT_OCTETS, unpack


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("_", "."), data)
    return buffer.getvalue()


def test_all_three_kinds() -> None:
    assert unpack(b"<x/>") == b"<x/>"
    assert unpack(gzip.compress(b"<x/>")) == b"<x/>"
    assert unpack(zipped(a_txt=b"no", b_xml=b"<x/>")) == b"<x/>"


def test_a_checksum_that_is_cut_off() -> None:
    assert unpack(gzip.compress(b"<x/>")[:-8]) == b"<x/>"


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"x")[:10] + b"\x07" * 20,
        b"PK\x03\x04nonsense",
        zipped(**{f"f{number}": b"" for number in range(20)}),
        zipped(),
        b"x" * (MAX_PACKED_OCTETS + 1),
    ],
)
def test_what_cannot_be_unpacked(data: bytes) -> None:
    if data[:4] == b"PK\x05\x06":
        assert unpack(data) == data  # an empty archive is not taken for one
        return
    with pytest.raises(ReportInvalid):
        unpack(data)


def bomb(size: int) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as file:
        for _ in range(size // 2**20):
            file.write(bytes(2**20))
    return buffer.getvalue()


def test_bombs_are_not_held() -> None:
    packed = bomb(2 * MAX_REPORT_OCTETS)
    assert len(packed) < MAX_PACKED_OCTETS
    packed_twice = zipped(a_xml=bytes(2 * MAX_REPORT_OCTETS))
    tracemalloc.start()
    for each in (packed, packed_twice):
        with pytest.raises(ReportInvalid, match="unpacks to more"):
            unpack(each)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * MAX_REPORT_OCTETS
