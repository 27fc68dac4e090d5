"""Whom the checks against abuse look at, and what they may do about it."""

from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TypeAlias

from msgspec import Struct

from postroad.model import Origin, Reply, ServerKind
from postroad.policy.verdict import ACCEPT, Accept, Quarantine, Reject, Verdict

Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]


class Action(Enum):
    """What follows where a check objects."""

    OFF = "off"
    NOTE = "note"  # only tell it in the journey
    QUARANTINE = "quarantine"
    REJECT = "reject"


class Strangers(Struct, frozen=True):
    """Who is one: a client of the MX server that did not log in and is in none of the `exempt`
    networks.
    """

    exempt: Networks = ()

    def has(self, origin: Origin) -> bool:
        """Whether mail of that origin comes from a stranger."""
        return (
            origin.server is ServerKind.MX
            and origin.account is None
            and not self.exempts(origin.client)
        )

    def exempts(self, client: str) -> bool:
        """Whether a client is in one of the networks that nobody looks at."""
        if not self.exempt or not client:
            return False
        address = ip_address(client.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.exempt)


def act(action: Action, reply: Reply, reason: str, fact: object = None) -> Verdict:
    """Return the verdict of a check that objects; `reply` is for `Action.REJECT`."""
    match action:
        case Action.NOTE:
            return Accept(reason, fact=fact)
        case Action.QUARANTINE:
            return Quarantine(reason, fact=fact)
        case Action.REJECT:
            return Reject(reply, reason, fact)
    return ACCEPT
