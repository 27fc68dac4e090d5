"""Mail that goes round in circles (RFC 5321 §6.3)."""

import re

from postroad.model import Reply
from postroad.policy.runner import Check, check
from postroad.policy.stages import MessageReceived
from postroad.policy.verdict import ACCEPT, Reject, Verdict

_RECEIVED = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)


def too_many_hops(max_hops: int) -> Check:
    """Refuse a message with more than `max_hops` Received fields (RFC 5321 §6.3 says at least 100
    servers should be allowed; the default of our config agrees).
    """

    @check(stage=MessageReceived, name="too_many_hops")
    async def look(stage: MessageReceived) -> Verdict:
        if stage.head.lower().count(b"received") <= max_hops:
            return ACCEPT  # as in nearly all mail; what follows takes seven times as long
        hops = len(_RECEIVED.findall(stage.head))
        if hops > max_hops:
            text = f"Mail loop: this message has passed {hops} servers, {max_hops} are allowed"
            return Reject(Reply(554, "5.4.6", text))
        return ACCEPT

    return look
