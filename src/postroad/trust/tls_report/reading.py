"""Reading TLS reports of others (RFC 8460 §4.4, §5.1): strangers' JSON, perhaps packed by gzip.

Everything is bounded: octets packed and unpacked, policies, details. What is wrong raises
`TlsReportInvalid` in words.
"""

import zlib

import msgspec

from postroad.trust.tls_report.report import TlsReport

MAX_REPORT_OCTETS = 10 * 2**20
_MAX_PACKED_OCTETS = 2 * 2**20
_MAX_POLICIES = 1000
_MAX_DETAILS = 10_000
_GZIP = 16 + zlib.MAX_WBITS
GZIP_MAGIC = b"\x1f\x8b"

_decoder = msgspec.json.Decoder(TlsReport)


class TlsReportInvalid(Exception):
    """No report; the message says why."""


def unpack(data: bytes) -> bytes:
    """Return what is in a gzip file (RFC 1952), or what is not packed as it is. A file that grows
    beyond `MAX_REPORT_OCTETS` is never held whole. Raises `TlsReportInvalid`.
    """
    if not data.startswith(GZIP_MAGIC):
        if len(data) > MAX_REPORT_OCTETS:
            raise TlsReportInvalid(f"a report of more than {MAX_REPORT_OCTETS} octets")
        return data
    if len(data) > _MAX_PACKED_OCTETS:
        raise TlsReportInvalid(f"a packed report of more than {_MAX_PACKED_OCTETS} octets")
    unpacker = zlib.decompressobj(_GZIP)
    try:
        plain = unpacker.decompress(data, MAX_REPORT_OCTETS + 1)
    except zlib.error as error:
        raise TlsReportInvalid(f"not gzip: {error}") from error
    if len(plain) > MAX_REPORT_OCTETS:
        raise TlsReportInvalid(f"unpacks to more than {MAX_REPORT_OCTETS} octets")
    if not unpacker.eof:
        raise TlsReportInvalid("the gzip file is cut short")
    return plain


def read_report(data: bytes) -> TlsReport:
    """Return the report in a JSON file, packed or not. Raises `TlsReportInvalid`."""
    try:
        report = _decoder.decode(unpack(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TlsReportInvalid(f"no TLS report: {error}") from error
    if len(report.policies) > _MAX_POLICIES:
        raise TlsReportInvalid(f"more than {_MAX_POLICIES} policies")
    if sum(len(each.failure_details) for each in report.policies) > _MAX_DETAILS:
        raise TlsReportInvalid(f"more than {_MAX_DETAILS} failure details")
    return report
