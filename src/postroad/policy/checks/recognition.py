"""What the checks that recognise senders have in common: whose mail they look at, and how they judge."""

from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TypeAlias

from msgspec import Struct

from postroad.model import Origin, ServerKind
from postroad.trust.dmarc import Discovery, Policy

Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]


class SpfFailure(Enum):
    """What follows where SPF fails. DMARC is asked anyway; this is for domains without it, too."""

    ACCEPT = "accept"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class DnsFailure(Enum):
    """What follows where the DNS does not say whether an author may be believed."""

    DEFER = "defer"
    ACCEPT = "accept"


class Recognition(Struct, frozen=True):
    """How mail from other servers is recognised and judged.

    `authserv_id` stands in Authentication-Results. Clients in `relays` are believed: they checked before
    (a second MX, a filter). The policy of `unenforced` domains (lower-case A-labels, with their
    subdomains) is only told, that of all where `enforce` is False. `sealers` are domains whose ARC seals
    are believed. `malformed` is done with an author that cannot be relied on. The keys of a message's
    signatures are waited for `key_seconds`, and those of its seals.
    """

    authserv_id: str
    received_spf: bool = False
    relays: Networks = ()
    enforce: bool = True
    unenforced: frozenset[str] = frozenset()
    sealers: frozenset[str] = frozenset()
    malformed: Policy = Policy.REJECT
    spf_failure: SpfFailure = SpfFailure.ACCEPT
    dns_failure: DnsFailure = DnsFailure.DEFER
    discovery: Discovery = Discovery.TREE_WALK
    spf_seconds: float = 20.0
    key_seconds: float = 10.0
    max_signatures: int = 8

    def concerns(self, origin: Origin) -> bool:
        """Whether mail of that origin comes from a server that has to be recognised."""
        if origin.server is not ServerKind.MX or origin.account is not None:
            return False
        if not self.relays:
            return True
        address = ip_address(client_address(origin))
        return not any(address in network for network in self.relays)

    def lets_be(self, domains: tuple[str, ...]) -> bool:
        """Whether the policy of these authors is only told."""
        return bool(domains) and all(
            any(domain == each or domain.endswith(f".{each}") for each in self.unenforced)
            for domain in domains
        )


def client_address(origin: Origin) -> str:
    """Return the client's address without scope, IPv4 where it was mapped into IPv6."""
    text = origin.client.partition("%")[0]
    return text.removeprefix("::ffff:") if "." in text else text
