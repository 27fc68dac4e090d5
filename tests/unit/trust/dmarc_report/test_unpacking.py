"""Packed reports, and bombs."""

import gzip
import io
import random
import tracemalloc
import zipfile

import pytest

from postroad.trust.dmarc_report.report import ReportInvalid
from postroad.trust.dmarc_report.unpacking import MAX_PACKED_OCTETS, MAX_REPORT_OCTETS, unpack

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def zipped(method: int = zipfile.ZIP_DEFLATED, /, **files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("_", "."), data)
    return buffer.getvalue()


def test_all_three_kinds() -> None:
    assert unpack(b"<x/>") == b"<x/>"
    assert unpack(gzip.compress(b"<x/>")) == b"<x/>"
    assert unpack(zipped(a_txt=b"no", b_xml=b"<x/>")) == b"<x/>"
    assert unpack(zipped(zipfile.ZIP_STORED, b_xml=b"<x/>")) == b"<x/>"


def test_a_checksum_that_is_cut_off() -> None:
    assert unpack(gzip.compress(b"<x/>")[:-8]) == b"<x/>"


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"x")[:10] + b"\x07" * 20,
        b"PK\x03\x04nonsense",
        zipped(**{f"f{number}": b"" for number in range(20)}),
        zipped(),
        zipped(zipfile.ZIP_BZIP2, b_xml=b"<x/>"),
        zipped(zipfile.ZIP_LZMA, b_xml=b"<x/>"),
        zipped(**{f"d{number}/": b"" for number in range(200)}, b_xml=b"<x/>"),
        b"x" * (MAX_PACKED_OCTETS + 1),
    ],
    ids=("gzip", "no zip", "many", "none", "bzip2", "lzma", "directories", "large"),
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


@pytest.mark.parametrize("method", METHODS)
def test_damaged_archives(method: int) -> None:
    """What the library raises for what is broken is of many kinds, and is one kind here."""
    chance = random.Random(4)
    whole = zipped(method, r_xml=b"<feedback>" + chance.randbytes(300) + b"</feedback>")
    for _ in range(1500):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 4))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            unpack(bytes(damaged))
        except ReportInvalid:
            continue


def test_small_bombs_of_other_methods_are_not_held() -> None:
    """Both libraries unpack the whole of what they are given, however little is asked for."""
    packed = zipped(zipfile.ZIP_BZIP2, a_xml=bytes(64 * 2**20))
    tracemalloc.start()
    with pytest.raises(ReportInvalid, match="packed by method 12"):
        unpack(packed)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
