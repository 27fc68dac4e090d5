"""MTA-STS (RFC 8461): the DNS record that announces a policy, and the policy.

What is wrong with either raises `StsInvalid`; what follows from that is the caller's to decide.
"""

from postroad.trust.mta_sts.policy import (
    MAX_POLICY_OCTETS,
    StsInvalid,
    matches,
    parse_policy,
    write_policy,
)
from postroad.trust.mta_sts.record import parse_record, write_record

__all__ = [
    "MAX_POLICY_OCTETS",
    "StsInvalid",
    "matches",
    "parse_policy",
    "parse_record",
    "write_policy",
    "write_record",
]
