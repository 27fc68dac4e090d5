"""Where a domain's mail goes, and the way an attempt really took."""

from enum import Enum

from msgspec import Struct


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
    usable address (``"no address (NXDOMAIN)"``, ``"private address 10.0.0.1 refused"``).
    """

    name: str
    preference: int
    addresses: tuple[str, ...]
    problem: str = ""


class Route(Struct, frozen=True):
    """Ordered hosts for `domain`; `key` is the same for all domains that share a host set.

    `expires_at` (seconds since 1970) is when the DNS answers it was made from run out. `lookups` tells
    an operator what was asked and answered, a line each. `credentials` names the smarthost login.
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


class RouteTaken(Struct, frozen=True, omit_defaults=True):
    """The way that one attempt took: host, address and port, link security, whether it was reused.

    `source` is the local address that the connection came from. `dsn` tells that the next server
    offered DSN (RFC 3461) and so took over the duty to report.
    """

    kind: RouteKind
    host: str = ""
    address: str = ""
    port: int = 0
    tls: str | None = None
    reused: bool = False
    source: str = ""
    dsn: bool = False


class Step(Struct, frozen=True, array_like=True):
    """Something that happened during an attempt: `seconds` after its start, what, and in words.

    `what` is one of ``lookup``, ``connect``, ``tls``, ``greeting``, ``hello``, ``auth``, ``mail``,
    ``rcpt``, ``data``, ``end``, ``deposit``, ``close``, ``report`` (a DSN was made, or could not be).
    """

    seconds: float
    what: str
    text: str
