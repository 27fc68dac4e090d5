"""What is said to programs that judge messages, without I/O: rspamd by HTTP, ClamAV by INSTREAM,
milters (`wire.scan.milter`) by the protocol of Sendmail.
"""

from postroad.wire.scan.clamav import ClamavAnswer, instream, read_clamav
from postroad.wire.scan.failed import ScanFailed
from postroad.wire.scan.rspamd import HttpAnswer, RspamdAnswer, checkv2, read_rspamd

__all__ = [
    "ClamavAnswer",
    "HttpAnswer",
    "RspamdAnswer",
    "ScanFailed",
    "checkv2",
    "instream",
    "read_clamav",
    "read_rspamd",
]
