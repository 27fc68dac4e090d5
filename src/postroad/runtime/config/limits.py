"""Limits and time-outs of everything that clients may do."""

from typing import Annotated

from pydantic import AfterValidator, Field

from postroad.runtime.config.values import Octets, Seconds, Section, Strings, Switch
from postroad.wire.sasl import MECHANISMS

MIB = 2**20


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in MECHANISMS]
    if unknown or not names:
        known = ", ".join(MECHANISMS)
        raise ValueError(f"{', '.join(unknown) or 'nothing'} is no choice of {known}")
    return names


Mechanisms = Annotated[Strings, AfterValidator(_known)]


class LimitsSection(Section):
    """What any SMTP client may do. Over a limit, it gets the reply that the RFC has for it."""

    max_connections: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Open connections per service."
    )
    max_connections_per_client: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="Open connections per service from one IPv4 address or one IPv6 /64.",
    )
    max_message_octets: Octets = Field(
        default=50 * MIB,
        ge=1024,
        le=2**40,
        description="Size of a message (SIZE, RFC 1870); 552 5.3.4 beyond.",
    )
    max_copies_octets: Octets = Field(
        default=32 * MIB,
        ge=1024,
        le=2**34,
        description="Size of a message times its recipients, where its stream gives each a copy with "
        "links of their own; 552 5.3.4 beyond. So much may be in memory for one connection.",
    )
    max_header_octets: Octets = Field(
        default=MIB,
        ge=256,
        le=64 * MIB,
        description="Size of a message's header; 552 5.3.4 beyond.",
    )
    max_recipients: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="Recipients of one transaction (RFC 5321 §4.5.3.1.8); 452 4.5.3 beyond.",
    )
    max_line_octets: Octets = Field(
        default=2048, ge=512, le=65_536, description="Length of a command line; 500 5.5.2 beyond."
    )
    max_auth_line_octets: Octets = Field(
        default=12_288,
        ge=512,
        le=65_536,
        description="Length of a line while logging in (RFC 4954 §4).",
    )
    max_hops: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="Received fields before 554 5.4.6, a mail loop (RFC 5321 §6.3).",
    )
    max_errors: int = Field(
        default=20,
        ge=1,
        le=10_000,
        description="Refused commands between two accepted messages before 421.",
    )
    max_idle_commands: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="Commands between two messages that move no mail before 421.",
    )
    max_transactions: int = Field(
        default=1000, ge=1, le=1_000_000, description="Messages per connection before 421."
    )
    command_seconds: Seconds = Field(
        default=300.0,
        ge=0.1,
        le=3600,
        description="How long a client may be silent between commands (RFC 5321 §4.5.3.2.7).",
    )
    tls_handshake_seconds: Seconds = Field(
        default=30.0,
        ge=0.1,
        le=600,
        description="How long a client of any service may take for the TLS handshake.",
    )
    data_idle_seconds: Seconds = Field(
        default=180.0,
        ge=0.1,
        le=3600,
        description="How long a client may be silent within a message.",
    )
    data_total_seconds: Seconds = Field(
        default=3600.0, ge=1, le=86_400, description="How long one message may take to come in."
    )
    session_total_seconds: Seconds = Field(
        default=7200.0, ge=1, le=604_800, description="How long a connection may last."
    )
    check_seconds: Seconds = Field(
        default=30.0, ge=0.1, le=600, description="How long one check may take before 451."
    )

    free_refusals: int = Field(
        default=5,
        ge=0,
        le=10_000,
        description="Recipients refused for good (5xx) that a connection is told of at once.",
    )
    max_refusals: int = Field(
        default=20, ge=1, le=10_000, description="Recipients refused for good before 421."
    )
    tarpit_seconds: Seconds = Field(
        default=1.0, ge=0, le=60, description="The wait for each refusal beyond the free ones."
    )
    login_failure_seconds: Seconds = Field(
        default=1.0, ge=0, le=60, description="The wait for the answer to a wrong password."
    )
    max_login_failures: int = Field(
        default=3, ge=1, le=1000, description="Wrong passwords of a connection before it ends."
    )


class MxSection(Section):
    """Mail from other servers, port 25."""

    tls_required: Switch = Field(
        default=False,
        description="Refuse mail without TLS. Much of the world's mail would not reach you.",
    )


class SubmissionSection(Section):
    """Mail from users, ports 587 and 465."""

    tls_required: Switch = Field(
        default=False, description="Refuse even EHLO's other commands before STARTTLS."
    )
    auth_required: Switch = Field(
        default=True, description="Only users who logged in may send. Off makes an open relay."
    )
    auth_without_tls: Switch = Field(
        default=False, description="Let passwords pass in the clear. Only for laboratories."
    )
    check_sender: Switch = Field(
        default=True,
        description="The sender must be an address whose mail comes to the account that logged in.",
    )
    add_missing_headers: Switch = Field(
        default=True,
        description="Add Date and Message-ID where the client left them out (RFC 6409 §8).",
    )
    once_by_message_id: Switch = Field(
        default=False,
        description="Whoever sends a message with the same Message-ID to the same recipients again "
        "gets the answer of the first time, as with an Idempotency-Key.",
    )
    hold_max_seconds: Seconds = Field(
        default=31 * 86_400,
        ge=0,
        le=999_999_999,
        description="How long a message may be held before it is sent (HOLDFOR and HOLDUNTIL, "
        "RFC 4865); 501 beyond. 0: not offered.",
    )


class AuthSection(Section):
    """Logging in, and guessing."""

    mechanisms: Mechanisms = Field(
        default=("SCRAM-SHA-256", "PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"),
        description="SASL mechanisms on offer, the best first. `SCRAM-SHA-256-PLUS` is one more, by "
        "channel binding `tls-server-end-point` alone: programs that insist on another fail. "
        "`OAUTHBEARER` and `XOAUTH2` are offered where `oauth.issuer` is set.",
    )

    free_failures: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="Wrong passwords of one client for one account before it has to wait.",
    )
    free_failures_per_client: int = Field(
        default=20,
        ge=1,
        le=100_000,
        description="Wrong passwords of one client for all accounts before it has to wait.",
    )
    free_failures_per_account: int = Field(
        default=50,
        ge=1,
        le=1_000_000,
        description="Wrong passwords for one account from all clients before strangers to it wait.",
    )
    slow_seconds: Seconds = Field(
        default=3.0,
        ge=0,
        le=60,
        description="How long strangers then wait; whoever logged in from there before does not.",
    )
    first_wait_seconds: Seconds = Field(
        default=2.0, ge=0, le=3600, description="The first wait; each further failure doubles it."
    )
    max_wait_seconds: Seconds = Field(
        default=900.0, ge=0, le=86_400, description="The longest wait."
    )
    turn_seconds: Seconds = Field(
        default=10.0,
        ge=0.1,
        le=60,
        description="How long a login may wait for its turn: of one client no more are judged at once "
        "than may fail before it has to wait.",
    )
    remember_seconds: Seconds = Field(
        default=300.0,
        ge=0,
        le=86_400,
        description="How long a password that was right is known without hashing it again.",
    )
    login_write_seconds: Seconds = Field(
        default=5.0,
        ge=0.1,
        le=600,
        description="How often the journey of logins is written; a crash can cost so much of it.",
    )
    login_pending: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="Different logins that wait to be written; more are counted and left out.",
    )
    login_keep: int = Field(
        default=20_000,
        ge=0,
        le=10_000_000,
        description="How many good logins are kept, and how many bad ones.",
    )
    login_retain_seconds: Seconds = Field(
        default=90 * 86_400.0, ge=0, le=3660 * 86_400, description="How long logins are kept."
    )
