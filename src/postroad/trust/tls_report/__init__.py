"""TLS reports (RFC 8460): where a domain wants them, and reports both ways."""

from postroad.trust.tls_report.letter import ReportLetter, pack_report, write_letter
from postroad.trust.tls_report.reading import (
    GZIP_MAGIC,
    MAX_REPORT_OCTETS,
    TlsReportInvalid,
    read_report,
    unpack,
)
from postroad.trust.tls_report.record import parse_rua
from postroad.trust.tls_report.report import (
    DateRange,
    FailureDetail,
    PolicyReport,
    ReportedPolicy,
    Summary,
    TlsReport,
    build_report,
    encode_report,
)

__all__ = [
    "GZIP_MAGIC",
    "MAX_REPORT_OCTETS",
    "DateRange",
    "FailureDetail",
    "PolicyReport",
    "ReportLetter",
    "ReportedPolicy",
    "Summary",
    "TlsReport",
    "TlsReportInvalid",
    "build_report",
    "encode_report",
    "pack_report",
    "parse_rua",
    "read_report",
    "unpack",
    "write_letter",
]
