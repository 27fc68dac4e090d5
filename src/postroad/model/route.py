"""Where a domain's mail goes, and the way an attempt really took."""

from enum import Enum

from msgspec import Struct

from postroad.model.security import LinkPolicy, StsPolicy, TlsFailure


class TlsPolicy(Enum):
    """How the link to the next server must be secured."""

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"  # RFC 7435: encrypt if offered, verify nothing
    ENCRYPT = "encrypt"  # required, certificate not verified
    VERIFY = "verify"  # required, certificate must match the host
    IMPLICIT = "implicit"  # TLS from the first byte (port 465), verified


class RouteKind(Enum):
    """What stands at the end of the route."""

    LOCAL = "local"
    MX = "mx"
    SMARTHOST = "smarthost"
    LMTP = "lmtp"


class Host(Struct, frozen=True, array_like=True):
    """One next host with all its addresses, in the order to be tried.

    `preference` is the MX preference (0 where there was no MX). `problem` says why a host has no
    usable address (``"no address (NXDOMAIN)"``, ``"private address 10.0.0.1 refused"``). `secure` says
    that DNSSEC vouches for all that led here, MX record and addresses (RFC 7672 §2.2); `canonical` is
    where the name's CNAMEs lead.
    """

    name: str
    preference: int
    addresses: tuple[str, ...]
    problem: str = ""
    secure: bool = False
    canonical: str = ""


class Route(Struct, frozen=True):
    """Ordered hosts for `domain`; `key` is the same for all domains that share a host set.

    `expires_at` (seconds since 1970) is when the DNS answers it was made from run out. `lookups` tells
    an operator what was asked and answered, a line each. `credentials` names the smarthost login.
    `provider` is who runs the hosts; `pool` names the source addresses that mail over it leaves from.
    `sts` is the domain's MTA-STS policy; `sts_failure` says why an announced policy is not known.
    """

    kind: RouteKind
    domain: str
    key: str
    hosts: tuple[Host, ...] = ()
    port: int = 25
    tls: TlsPolicy = TlsPolicy.OPPORTUNISTIC
    credentials: tuple[str, str] | None = None
    expires_at: float = 0.0
    lookups: tuple[str, ...] = ()
    sts: StsPolicy | None = None
    sts_failure: TlsFailure | None = None
    provider: str = ""
    pool: str = ""


class RouteTaken(Struct, frozen=True, omit_defaults=True):
    """The way that one attempt took: host, address and port, link security, whether it was reused.

    `source` is the local address that the connection came from. `dsn` tells that the next server
    offered DSN (RFC 3461) and so took over the duty to report. `policy` is the rule that the link was
    under; `verified` says in words by what the server proved who it is, ``""`` where it did not.
    """

    kind: RouteKind
    host: str = ""
    address: str = ""
    port: int = 0
    tls: str | None = None
    reused: bool = False
    source: str = ""
    dsn: bool = False
    policy: LinkPolicy | None = None
    verified: str = ""


class Step(Struct, frozen=True, array_like=True):
    """Something that happened during an attempt: `seconds` after its start, what, and in words.

    `what` is one of ``lookup``, ``connect``, ``tls``, ``greeting``, ``hello``, ``auth``, ``mail``,
    ``rcpt``, ``data``, ``end``, ``deposit``, ``close``, ``source`` (another address of ours is used, or
    none), ``slow`` (the server asks us to slow down), ``report`` (a DSN was made, or could not be),
    ``suppressed`` (a recipient is on the list of its stream, or is put on it), ``check`` (a mailbox's
    junk filter), ``vacation`` (whether it was answered for who is away).
    """

    seconds: float
    what: str
    text: str
