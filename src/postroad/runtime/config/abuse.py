"""Settings against junk, floods and malware."""

import ipaddress
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from postroad.policy.checks.dns_lists import parse_dns_list
from postroad.policy.checks.scanners import OnFailure
from postroad.policy.checks.strangers import Action
from postroad.runtime.config.values import Octets, Peer, Seconds, Section, Strings, parse_peer

_DAY = 86_400
_MOST = 100_000_000
_MAX_PATH_OCTETS = 107  # sun_path has room for 108 with its NUL


def _to_networks(value: Any) -> Any:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise ValueError("a list of networks is wanted, as in '192.0.2.0/24'")
    return tuple(_network(each) for each in value)


def _network(value: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"{error}; write '192.0.2.0/24', '2001:db8::/32' or one address") from None


def _known_lists(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        parse_dns_list(value)
    return values


def _known_places(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) < len(values):
        raise ValueError("a milter is named twice")
    for value in values:
        if not value.startswith("/"):
            _is_address(parse_peer(value))
        elif len(value.encode()) > _MAX_PATH_OCTETS:
            raise ValueError(f"{value!r} is longer than {_MAX_PATH_OCTETS} octets")
    return values


def _is_address(peer: Peer | None) -> Peer | None:
    if peer is not None:
        try:
            ipaddress.ip_address(peer.host)
        except ValueError:
            raise ValueError(
                f"{peer.host!r} is no IP address; scanners are asked by that"
            ) from None
        if not peer.port:
            raise ValueError(f"{str(peer)!r} has no port")
    return peer


Networks = Annotated[
    tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
    BeforeValidator(_to_networks),
    PlainSerializer(lambda value: [str(each) for each in value]),
]
Milters = Annotated[Strings, AfterValidator(_known_places)]
DnsLists = Annotated[Strings, AfterValidator(_known_lists)]
Scanner = Annotated[
    Peer | None,
    BeforeValidator(
        lambda value: parse_peer(value) if isinstance(value, str) and value else value or None
    ),
    AfterValidator(_is_address),
    PlainSerializer(lambda value: str(value) if value else None),
]


class AbuseSection(Section):
    """Against junk, floods and malware (docs/howto/keep-abuse-out.md). All of it is off until set."""

    exempt: Networks = Field(
        default=(), description="Clients that nothing in this section looks at: networks."
    )
    account_messages_per_hour: int = Field(
        default=0, ge=0, le=_MOST, description="Messages of one account; 450 4.7.1 beyond. 0: any."
    )
    account_recipients_per_hour: int = Field(
        default=0,
        ge=0,
        le=_MOST,
        description="Recipients of one account; 450 4.7.1 beyond. 0: any.",
    )
    client_messages_per_hour: int = Field(
        default=0,
        ge=0,
        le=_MOST,
        description="Messages of one IPv4 address or IPv6 /64 without a login; 450 4.7.1 beyond.",
    )
    client_recipients_per_hour: int = Field(
        default=0,
        ge=0,
        le=_MOST,
        description="Recipients of one IPv4 address or IPv6 /64 without a login; 450 4.7.1 beyond.",
    )
    client_connections_per_minute: int = Field(
        default=0,
        ge=0,
        le=_MOST,
        description="Connections of one IPv4 address or IPv6 /64 to all SMTP servers; 421 beyond.",
    )
    dns_block_lists: DnsLists = Field(
        default=(),
        description="Zones that list bad addresses: `zen.spamhaus.org`, or with the answers that "
        "count, `zen.spamhaus.org=127.0.0.2-127.0.0.11`.",
    )
    dns_block_action: Action = Field(
        default=Action.REJECT, description="What follows for a client that one of them has."
    )
    dns_allow_lists: DnsLists = Field(
        default=(),
        description="Zones that list good addresses, whom block lists and greylisting let pass.",
    )
    dns_list_seconds: Seconds = Field(
        default=5.0, ge=0.1, le=60, description="How long all lists together are waited for."
    )
    helo: Action = Field(
        default=Action.OFF,
        description="What follows for a HELO name that is none, or is ours (550 5.7.1).",
    )
    reverse_dns: Action = Field(
        default=Action.OFF,
        description="What follows for a client whose address has no name that leads back to it "
        "(550 5.7.25).",
    )
    reverse_dns_seconds: Seconds = Field(
        default=5.0,
        ge=0.1,
        le=60,
        description="How long the name is waited for, and then the addresses of it.",
    )
    greylist: bool = Field(
        default=False, description="Ask who comes for the first time to come again (451 4.7.1)."
    )
    greylist_seconds: Seconds = Field(
        default=300.0, ge=1, le=_DAY, description="After how long it may come again."
    )
    greylist_window_seconds: Seconds = Field(
        default=2 * _DAY, ge=60, le=30 * _DAY, description="Until when it has to."
    )
    greylist_known_seconds: Seconds = Field(
        default=36 * _DAY, ge=60, le=366 * _DAY, description="How long it is known from then on."
    )
    standing: Action = Field(
        default=Action.OFF,
        description="What follows for a domain, proven by DMARC, most of whose mail was junk before "
        "(550 5.7.1). Needs `trust.verify`; anything but `off` keeps the history.",
    )
    standing_min_messages: int = Field(
        default=20, ge=1, le=1_000_000, description="Of at least so many messages."
    )
    standing_junk_share: float = Field(
        default=0.8, ge=0.01, le=1, description="At least which part of them."
    )
    standing_half_life_seconds: Seconds = Field(
        default=30 * _DAY, ge=3600, le=3660 * _DAY, description="When a message weighs half."
    )
    standing_keep: int = Field(
        default=100_000, ge=1, le=10_000_000, description="How many domains are remembered."
    )
    standing_write_seconds: Seconds = Field(
        default=10.0, ge=0.1, le=3600, description="How often the history is written."
    )
    rspamd: Scanner = Field(
        default=None, description="Where rspamd's normal worker listens, as `127.0.0.1:11333`."
    )
    rspamd_password: str = Field(default="", description="Its password, if it wants one.")
    clamav: Scanner = Field(
        default=None, description="Where clamd listens (TCPSocket), as `127.0.0.1:3310`."
    )
    clamav_action: Action = Field(
        default=Action.REJECT, description="What follows where it finds something (550 5.7.1)."
    )
    milters: Milters = Field(
        default=(),
        description="Where milters listen, as `127.0.0.1:8891` or `/run/opendkim/opendkim.sock`; "
        "they are asked in this order, when the message is here.",
    )
    scan_max_octets: Octets = Field(
        default=5 * 2**20,
        ge=1024,
        le=2**30,
        description="Messages up to this size are shown to rspamd, ClamAV and milters; they are in "
        "memory while they arrive.",
    )
    scan_seconds: Seconds = Field(
        default=20.0, ge=0.1, le=600, description="How long each may take for one message."
    )
    scan_failure: OnFailure = Field(
        default=OnFailure.DEFER,
        description="What follows where one cannot be asked: `defer` (451 4.3.0) or `accept`.",
    )
