"""The set of deliveries, and what moves them: accept, schedule, lease, deliver, record, report.

`Queue` is the door; `QueueSettings` are its limits and times. The queue knows no store, no network and
no mailbox, only `ports`.
"""

from postroad.queue.admission import Posted
from postroad.queue.queue import Keys, Queue
from postroad.queue.quiet import QuietHours, parse_quiet_hours
from postroad.queue.settings import ProviderLimit, QueueSettings, StreamPolicy, UnknownPolicy

__all__ = [
    "Keys",
    "Posted",
    "ProviderLimit",
    "Queue",
    "QueueSettings",
    "QuietHours",
    "StreamPolicy",
    "UnknownPolicy",
    "parse_quiet_hours",
]
