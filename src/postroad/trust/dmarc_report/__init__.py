"""DMARC reports: aggregate ones read and written (RFC 7489 §7.2, RFC 9990), failure ones read.

What strangers send is bounded before it is looked at; what is no report raises `ReportInvalid`.
"""

from postroad.trust.dmarc_report.failure import FailureReport, read_failure_report
from postroad.trust.dmarc_report.letter import Letter, report_filename, write_letter
from postroad.trust.dmarc_report.observing import observe
from postroad.trust.dmarc_report.reading import read_aggregate, read_message
from postroad.trust.dmarc_report.report import (
    AggregateReport,
    DkimAuth,
    PolicyPublished,
    Reason,
    ReportInvalid,
    Row,
    SpfAuth,
)
from postroad.trust.dmarc_report.tally import Observation, Tally
from postroad.trust.dmarc_report.unpacking import MAX_REPORT_OCTETS, unpack
from postroad.trust.dmarc_report.writing import write_aggregate

__all__ = [
    "MAX_REPORT_OCTETS",
    "AggregateReport",
    "DkimAuth",
    "FailureReport",
    "Letter",
    "Observation",
    "PolicyPublished",
    "Reason",
    "ReportInvalid",
    "Row",
    "SpfAuth",
    "Tally",
    "observe",
    "read_aggregate",
    "read_failure_report",
    "read_message",
    "report_filename",
    "unpack",
    "write_aggregate",
    "write_letter",
]
