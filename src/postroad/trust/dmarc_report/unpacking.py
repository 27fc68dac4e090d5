"""Reports come packed: gzip (RFC 1952) or zip, never to grow beyond a bound.

Of the methods of zip only the two are taken that its reports use and that can be unpacked in pieces:
stored and deflated. bzip2 and LZMA make gigabytes of one piece.
"""

import io
import zipfile
import zlib

from postroad.trust.dmarc_report.report import ReportInvalid

MAX_PACKED_OCTETS = 10 * 2**20
MAX_REPORT_OCTETS = 50 * 2**20
_MAX_FILES = 10
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENTRY = b"PK\x01\x02"
_MAX_ENTRIES = 100
"""Directories count, too; more are not even listed."""
_GZIP = 16 + zlib.MAX_WBITS


def unpack(data: bytes) -> bytes:
    """Return what is in a gzip or zip file, or what is not packed as it is. Raises `ReportInvalid`.

    Of what unpacks to too much, no more than the bound is ever held.
    """
    if len(data) > MAX_PACKED_OCTETS:
        raise ReportInvalid(f"a file of more than {MAX_PACKED_OCTETS} octets")
    if data.startswith(b"\x1f\x8b"):
        return _gunzip(data)
    if data.startswith(b"PK\x03\x04"):
        return _unzip(data)
    return data


def _gunzip(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        plain = unpacker.decompress(data, MAX_REPORT_OCTETS + 1)
    except zlib.error as error:
        raise ReportInvalid(f"not gzip: {error}") from None
    if len(plain) > MAX_REPORT_OCTETS:
        raise ReportInvalid(f"unpacks to more than {MAX_REPORT_OCTETS} octets")
    # Some are cut by a few octets at the end (the checksum), and whole else: XML says where it ends.
    return plain


def _unzip(data: bytes) -> bytes:
    if data.count(_ENTRY) > _MAX_ENTRIES:
        raise ReportInvalid(f"a zip file with more than {_MAX_ENTRIES} entries")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [each for each in archive.infolist() if not each.is_dir()]
            if not 0 < len(files) <= _MAX_FILES:
                raise ReportInvalid(f"a zip file with {len(files)} files, not one")
            chosen = next((each for each in files if each.filename.endswith(".xml")), files[0])
            if chosen.compress_type not in _METHODS:
                raise ReportInvalid(f"a zip file packed by method {chosen.compress_type}")
            with archive.open(chosen) as file:
                plain = file.read(MAX_REPORT_OCTETS + 1)
    except ReportInvalid:
        raise
    except Exception as error:  # zipfile promises nothing of what it raises for what is broken
        problem = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ReportInvalid(f"a zip file that cannot be read: {problem}") from None
    if len(plain) > MAX_REPORT_OCTETS:
        raise ReportInvalid(f"unpacks to more than {MAX_REPORT_OCTETS} octets")
    return plain
