"""What the DNS should say of a domain whose mail is ours, what it does say, and what follows from that.

`wanted_records` makes the records, `check_domain` asks for them and tells of each: well, doubtful, or
wrong, why that matters, and what to publish.
"""

from postroad.service.domain_check.check import check_domain
from postroad.service.domain_check.finding import Finding, Level, Record, zone_file
from postroad.service.domain_check.setup import DkimKey, Setup, wanted_records

__all__ = [
    "DkimKey",
    "Finding",
    "Level",
    "Record",
    "Setup",
    "check_domain",
    "wanted_records",
    "zone_file",
]
