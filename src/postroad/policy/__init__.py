"""What may come in: typed stages, verdicts, the runner, and built-in checks.

A check is an async function of one stage value that returns a verdict. Built-in checks enter by the same
door as a user's own. A check that raises or takes too long defers the client with 451: mail is neither
let through unchecked nor dropped.
"""

from postroad.policy.runner import Check, Policy, check
from postroad.policy.stages import Connected, MailFrom, MessageReceived, RcptTo, Stage
from postroad.policy.verdict import ACCEPT, Accept, Defer, Reject, Verdict

__all__ = [
    "ACCEPT",
    "Accept",
    "Check",
    "Connected",
    "Defer",
    "MailFrom",
    "MessageReceived",
    "Policy",
    "RcptTo",
    "Reject",
    "Stage",
    "Verdict",
    "check",
]
