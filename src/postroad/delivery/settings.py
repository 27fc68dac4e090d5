"""How mail leaves: time limits, policies, the routes that an operator set."""

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from postroad.model import TlsPolicy
from postroad.wire.smtp import ClientTimeouts


class IpPreference(Enum):
    """In which order the addresses of one host are tried."""

    IPV4_FIRST = "ipv4"
    IPV6_FIRST = "ipv6"
    IPV4_ONLY = "ipv4-only"
    IPV6_ONLY = "ipv6-only"


class RelayHost(Struct, frozen=True):
    """A server that takes the mail of some domains, whatever their MX records say.

    `host` is a name (looked up as A and AAAA, never as MX) or an IP address, also a private one: an
    operator named it. `credentials` are user name and password; they are sent over TLS only, unless
    `login_without_tls`.
    """

    host: str
    port: int = 25
    tls: TlsPolicy = TlsPolicy.OPPORTUNISTIC
    credentials: tuple[str, str] | None = None
    login_without_tls: bool = False


class Source(Struct, frozen=True):
    """One of our IP addresses that mail leaves from; `address` ``""`` leaves the choice to the operating
    system. `helo` is what is said in EHLO from there, ``""`` the name of all others.

    `plan` warms it up: (days since `since`, cap) in order, a cap of recipients a day for each provider;
    behind the last entry it stays. Days are days since 1970 in UTC.
    """

    address: str = ""
    helo: str = ""
    since: int = 0
    plan: tuple[tuple[int, int], ...] = ()

    def cap(self, day: int) -> int | None:
        """Return how many recipients of one provider it may serve on a day; None: as many as come."""
        if not self.plan:
            return None
        age = day - self.since
        return next((cap for days, cap in reversed(self.plan) if days <= age), 0)


class Provider(Struct, frozen=True):
    """Who runs mail servers: the hosts whose names are or end in one of `hosts`. So many messages go
    over one connection, None: as many as over any.
    """

    name: str
    hosts: tuple[str, ...] = ()
    messages_per_connection: int | None = None


class DeliverySettings(Struct, frozen=True, kw_only=True):
    """Settings of remote delivery, shared by all destinations.

    `hostname` is what we say in EHLO. `own_names` and `own_endpoints` (address, port) are where we
    listen ourselves: mail for an MX among them is a loop. `smarthosts` and `lmtp` are by domain, with
    ``"*"`` for every other; `lmtp` wins where both name a domain.
    """

    hostname: str
    own_names: frozenset[str] = frozenset()
    own_endpoints: frozenset[tuple[str, int]] = frozenset()
    smarthosts: Mapping[str, RelayHost] = {}
    lmtp: Mapping[str, RelayHost] = {}

    port: int = 25
    tls: TlsPolicy = TlsPolicy.OPPORTUNISTIC
    # Follow what receiving domains ask for by DANE (RFC 7672) and MTA-STS (RFC 8461), on MX routes whose
    # `tls` leaves room for it.
    dane: bool = True
    mta_sts: bool = True
    # Count how links were secured, for TLS reports (RFC 8460).
    tls_reports: bool = False
    mta_sts_port: int = 443
    mta_sts_fetch_seconds: float = 60.0  # RFC 8461 §3.3 suggests a minute
    mta_sts_retry_seconds: float = 300.0  # RFC 8461 §3.3: not more often after a failure
    mta_sts_refresh_seconds: float = 86_400.0
    ip_preference: IpPreference = IpPreference.IPV4_FIRST
    allow_private: bool = False  # the lab lives on loopback
    source_ipv4: str | None = None
    source_ipv6: str | None = None
    pools: Mapping[str, tuple[Source, ...]] = {}  # by name; a route may ask for one
    providers: tuple[Provider, ...] = ()
    # A source address that a provider refused as such is used last for so long.
    block_seconds: float = 3600.0
    # Refuse (5.6.3, RFC 6152 §3) to send 8-bit content to a server that does not offer 8BITMIME. Off:
    # such servers are few and nearly all pass 8-bit octets on; re-encoding would break "bytes are
    # sacred" and with them every signature, and a bounce helps no one.
    strict_8bitmime: bool = False

    max_hosts: int = 10
    max_addresses_per_host: int = 5
    route_cache_entries: int = 10_000
    # Equal hosts are drawn anew at least this often, however long their DNS records live.
    route_cache_seconds: float = 60.0

    timeouts: ClientTimeouts = ClientTimeouts()
    connect_seconds: float = 30.0
    tls_handshake_seconds: float = 60.0
    # All addresses of all hosts together; the next retry begins anew.
    connect_total_seconds: float = 600.0
    send_seconds: float = 180.0  # RFC 5321 §4.5.3.2.5, per piece
    transaction_total_seconds: float = 7200.0

    messages_per_connection: int = 1000
    connection_age_seconds: float = 300.0
    idle_seconds: float = 60.0
    recipients_per_transaction: int = 100  # RFC 5321 §4.5.3.1.8: every server takes that many
    pipelined_messages: int = 10  # how many jobs a session likes at once with PIPELINING
    piece_octets: int = 256 * 1024
