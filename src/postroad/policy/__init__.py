"""What may come in: typed stages, verdicts, the runner, and built-in checks.

A check is an async function of one stage value that returns a verdict. Built-in checks enter by the same
door as a user's own. A check that raises or takes too long defers the client with 451: mail is neither
let through unchecked nor dropped.
"""

from postroad.message.newfield import NewField
from postroad.policy.decision import NOTHING, Decision
from postroad.policy.reading import NO_READINGS, BodyReader, MessageBegun, Readings
from postroad.policy.runner import Check, Policy, check
from postroad.policy.stages import Connected, MailFrom, MessageReceived, RcptTo, Stage
from postroad.policy.verdict import ACCEPT, Accept, Defer, Quarantine, Reject, Verdict

__all__ = [
    "ACCEPT",
    "NOTHING",
    "NO_READINGS",
    "Accept",
    "BodyReader",
    "Check",
    "Connected",
    "Decision",
    "Defer",
    "MailFrom",
    "MessageBegun",
    "MessageReceived",
    "NewField",
    "Policy",
    "Quarantine",
    "RcptTo",
    "Readings",
    "Reject",
    "Stage",
    "Verdict",
    "check",
]
