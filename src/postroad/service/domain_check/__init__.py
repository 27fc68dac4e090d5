"""What the DNS should say of a domain whose mail is ours, what it does say, and what follows from that.

`wanted_records` makes the records for a domain of which nothing is published, `fitting_records` keeps
what is, `check_domain` asks for them and tells of each: well, doubtful, or
wrong, why that matters, and what to publish.
"""

from postroad.service.domain_check.check import check_domain
from postroad.service.domain_check.finding import Finding, Level, Record, zone_file
from postroad.service.domain_check.link import hosts_left_out
from postroad.service.domain_check.mended import Proposal, fitting_records, mended_tls_reports
from postroad.service.domain_check.setup import (
    DkimKey,
    Setup,
    sts_records,
    tls_report_record,
    wanted_records,
)

__all__ = [
    "DkimKey",
    "Finding",
    "Level",
    "Proposal",
    "Record",
    "Setup",
    "check_domain",
    "fitting_records",
    "hosts_left_out",
    "mended_tls_reports",
    "sts_records",
    "tls_report_record",
    "wanted_records",
    "zone_file",
]
