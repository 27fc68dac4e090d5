"""How the link of an attempt was secured, in words an operator understands."""

from postroad.model import Attempted, Delivered, LinkPolicy, RouteTaken

_RULES = {
    LinkPolicy.NONE: "TLS is turned off by our settings",
    LinkPolicy.OPPORTUNISTIC: "the receiver asks for no security, TLS where it is offered",
    LinkPolicy.STS_TESTING: "the receiver tests MTA-STS",
    LinkPolicy.ENCRYPTED: "TLS required",
    LinkPolicy.VERIFIED: "verified TLS required by our settings",
    LinkPolicy.STS_ENFORCE: "the receiver enforces MTA-STS",
    LinkPolicy.DANE: "the receiver uses DANE",
}


def rule_words(policy: LinkPolicy) -> str:
    """Return the rule that a link is under: ``"the receiver uses DANE"``."""
    return _RULES[policy]


def link_words(attempted: Attempted) -> str:
    """Return rule and outcome of the link of an attempt: ``"the receiver uses DANE: …"``; ``""`` where
    no rule was looked for.
    """
    taken = attempted.taken
    if taken is None or taken.policy is None:
        return ""
    delivered = any(isinstance(each.outcome, Delivered) for each in attempted.results)
    return f"{rule_words(taken.policy)}: {_outcome(taken, delivered)}"


def _outcome(taken: RouteTaken, delivered: bool) -> str:
    if taken.tls is not None:
        return f"{taken.tls}, {taken.verified or 'server not verified'}"
    # What was not delivered may have failed before any link was there.
    return "sent in clear" if delivered else "no secured link"
