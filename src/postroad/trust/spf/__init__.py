"""Sender Policy Framework (RFC 7208): may this client send for this domain?

``await check_spf(resolver, ip=..., helo=..., sender=...)`` gives an `SpfCheck`; `received_spf` writes it
as a header field.
"""

from postroad.trust.spf.check import check_spf
from postroad.trust.spf.macro import InvalidMacro
from postroad.trust.spf.received import received_spf
from postroad.trust.spf.record import InvalidRecord, SpfRecord, is_spf, read_record
from postroad.trust.spf.result import Identity, SpfCheck, SpfLimits, SpfResult, SpfStep

__all__ = [
    "Identity",
    "InvalidMacro",
    "InvalidRecord",
    "SpfCheck",
    "SpfLimits",
    "SpfRecord",
    "SpfResult",
    "SpfStep",
    "check_spf",
    "is_spf",
    "read_record",
    "received_spf",
]
