"""Settings of the way out: queue, connections to other servers, DNS, routes."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from postroad.delivery.settings import IpPreference
from postroad.model import InvalidAddress, TlsPolicy, parse_domain
from postroad.network import parse_nameserver
from postroad.runtime.config.values import (
    Octets,
    OptionalPath,
    Peer,
    PeerText,
    Seconds,
    Section,
    Strings,
    Switch,
)


def _nameservers(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(parse_nameserver(value)) for value in values)


def _domains(values: dict[str, Any]) -> dict[str, Any]:
    checked = {}
    for name, value in values.items():
        try:
            checked[name if name == "*" else parse_domain(name)] = value
        except InvalidAddress as error:
            raise ValueError(f"{name!r} is neither a domain nor '*': {error}") from None
    return checked


class DeliverySection(Section):
    """How mail leaves for other servers."""

    port: int = Field(
        default=25, ge=1, le=65_535, description="The port of other servers' MX hosts."
    )
    tls: TlsPolicy = Field(
        default=TlsPolicy.OPPORTUNISTIC,
        description="`opportunistic` encrypts where offered (RFC 7435), `encrypt` insists, `verify` "
        "insists on a certificate that fits, `none` never encrypts.",
    )
    dane: bool = Field(
        default=True,
        description="Verify servers by the TLSA records of their domain (RFC 7672), where `tls` is "
        "`opportunistic` or `encrypt` and DNSSEC vouches for the records. Needs a name server that "
        "validates and is believed (see `nameservers_trusted`).",
    )
    mta_sts: bool = Field(
        default=True,
        description="Follow the MTA-STS policies of other domains (RFC 8461), where `tls` is "
        "`opportunistic` or `encrypt`; DANE comes first.",
    )
    mta_sts_port: int = Field(
        default=443,
        ge=1,
        le=65_535,
        description="The port from which MTA-STS policies are fetched. Only for laboratories.",
    )
    mta_sts_fetch_seconds: Seconds = Field(
        default=60.0, ge=0.1, le=600, description="Fetching one MTA-STS policy, all together."
    )
    mta_sts_retry_seconds: Seconds = Field(
        default=300.0,
        ge=0,
        le=86_400,
        description="How long to wait before a policy that could not be fetched is tried again.",
    )
    mta_sts_refresh_seconds: Seconds = Field(
        default=86_400.0,
        ge=60,
        le=31_557_600,
        description="After that a policy that is still valid is fetched anew, before it runs out.",
    )
    ip_preference: IpPreference = Field(
        default=IpPreference.IPV4_FIRST,
        description="Which of a host's addresses are tried first, or at all.",
    )
    allow_private: Switch = Field(
        default=False,
        description="Deliver to loopback and private addresses that the DNS names. Only for "
        "laboratories: it lets strangers reach into your network.",
    )
    helo: str = Field(
        default="", description="The name in EHLO to other servers; left empty, `server.hostname`."
    )
    source_ipv4: str = Field(default="", description="Our IPv4 address to connect from.")
    source_ipv6: str = Field(default="", description="Our IPv6 address to connect from.")
    sources: str = Field(
        default="",
        description="The pool of source addresses (`[sources.NAME]`) to connect from, in place of "
        "`source_ipv4` and `source_ipv6`.",
    )
    block_seconds: Seconds = Field(
        default=3600.0,
        ge=0,
        le=604_800,
        description="For how long a source address that a provider blocks comes last there, where "
        "there is another one or the other family (IPv4, IPv6).",
    )
    nameservers: Annotated[Strings, AfterValidator(_nameservers)] = Field(
        default=(),
        max_length=8,
        description="Recursive DNS servers, as `address` or `address:port`; left empty, those of "
        "/etc/resolv.conf.",
    )
    nameservers_trusted: Switch = Field(
        default=False,
        description="Believe these servers' AD bit (DNSSEC). Loopback addresses are always believed.",
    )
    dns_timeout_seconds: Seconds = Field(
        default=3.0, ge=0.1, le=60, description="One try at one DNS server."
    )
    dns_total_seconds: Seconds = Field(
        default=15.0, ge=0.1, le=300, description="One DNS question, all tries together."
    )
    strict_8bitmime: Switch = Field(
        default=False,
        description="Bounce 8-bit content for servers that do not offer 8BITMIME (RFC 6152 §3) "
        "instead of sending it as it is.",
    )
    max_hosts: int = Field(default=10, ge=1, le=100, description="MX hosts that are tried.")
    max_addresses_per_host: int = Field(
        default=5, ge=1, le=100, description="Addresses that are tried of each."
    )
    connect_seconds: Seconds = Field(
        default=30.0, ge=0.1, le=600, description="Connecting to one address."
    )
    connect_total_seconds: Seconds = Field(
        default=600.0, ge=0.1, le=7200, description="Finding one host that takes us, all together."
    )
    tls_handshake_seconds: Seconds = Field(
        default=60.0, ge=0.1, le=600, description="The TLS handshake."
    )
    greeting_seconds: Seconds = Field(
        default=300.0,
        ge=0.1,
        le=3600,
        description="Waiting for the greeting (RFC 5321 §4.5.3.2.1).",
    )
    command_seconds: Seconds = Field(
        default=300.0,
        ge=0.1,
        le=3600,
        description="Waiting for the answer to EHLO, AUTH, MAIL, RCPT (RFC 5321 §4.5.3.2.2-3).",
    )
    data_seconds: Seconds = Field(
        default=120.0, ge=0.1, le=3600, description="Waiting for 354 (RFC 5321 §4.5.3.2.4)."
    )
    send_seconds: Seconds = Field(
        default=180.0, ge=0.1, le=3600, description="Sending one piece (RFC 5321 §4.5.3.2.5)."
    )
    end_seconds: Seconds = Field(
        default=600.0,
        ge=0.1,
        le=3600,
        description="Waiting for the answer to the final dot (RFC 5321 §4.5.3.2.6). Shorter makes "
        "duplicates.",
    )
    transaction_total_seconds: Seconds = Field(
        default=7200.0, ge=1, le=86_400, description="One message, all together."
    )
    messages_per_connection: int = Field(
        default=1000, ge=1, le=1_000_000, description="Messages sent over one connection."
    )
    connection_age_seconds: Seconds = Field(
        default=300.0, ge=1, le=86_400, description="How long a connection is used again."
    )
    idle_seconds: Seconds = Field(
        default=60.0, ge=0, le=3600, description="How long an idle connection is kept."
    )
    recipients_per_transaction: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Recipients of one message in one transaction (RFC 5321 §4.5.3.1.8).",
    )
    pipelined_messages: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="Messages sent ahead of their answers, with PIPELINING.",
    )
    route_cache_seconds: Seconds = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="How long a route found in the DNS is used again.",
    )
    piece_octets: Octets = Field(
        default=256 * 1024, ge=4096, le=16 * 2**20, description="Octets read and sent at once."
    )


class RouteRule(Section):
    """Where the mail of a domain goes, whatever its MX records say."""

    via: PeerText = Field(
        description="The server, as `host:port`. A port left out is 587 with a login, 24 for LMTP, "
        "else 25.",
    )
    protocol: Literal["smtp", "lmtp"] = Field(
        default="smtp", description="`smtp` for a smarthost, `lmtp` for a mail store (RFC 2033)."
    )
    username: str = Field(default="", description="The login at the smarthost.")
    password: str = Field(
        default="", repr=False, description="Its password; better in `password_file`."
    )
    password_file: OptionalPath = Field(
        default=None, description="File whose first line is the password."
    )
    tls: TlsPolicy | None = Field(
        default=None,
        description="As `delivery.tls`, and `implicit` for TLS from the first byte. Left out: `verify` "
        "with a login, else `opportunistic`.",
    )
    login_without_tls: Switch = Field(
        default=False, description="Send the password in the clear. Only for laboratories."
    )

    @model_validator(mode="after")
    def _login(self) -> "RouteRule":
        if self.password and self.password_file:
            raise ValueError("password and password_file are both set; keep one")
        if bool(self.username) != bool(self.password or self.password_file):
            raise ValueError(
                "username needs a password_file (or password), and the other way round"
            )
        return self

    @property
    def peer(self) -> Peer:
        """`via`, with a port."""
        if self.via.port:
            return self.via
        if self.protocol == "lmtp":
            return Peer(self.via.host, 24)
        if self.tls is TlsPolicy.IMPLICIT:
            return Peer(self.via.host, 465)
        return Peer(self.via.host, 587 if self.username else 25)

    @property
    def policy(self) -> TlsPolicy:
        """`tls`, or what stands for it."""
        if self.tls is not None:
            return self.tls
        return TlsPolicy.VERIFY if self.username else TlsPolicy.OPPORTUNISTIC

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User name and password. Raises `OSError` where the file cannot be read."""
        if not self.username:
            return None
        if self.password_file is None:
            return self.username, self.password
        return self.username, read_secret(self.password_file)


def read_secret(path: Path) -> str:
    """Return the first line of a file. Raises `OSError`, `ValueError` where it is empty."""
    line = path.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    if not line:
        raise ValueError(f"the first line of {path} is empty; it should be the password")
    return line


Routes = Annotated[dict[str, RouteRule], AfterValidator(_domains)]
