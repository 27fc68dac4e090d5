"""What each side may be told: limits, offers and time-outs, with the defaults of RFC 5321 §4.5.3."""

from msgspec import Struct


class ServerConfig(Struct, frozen=True, kw_only=True):
    """How a server machine behaves. Sizes are in octets.

    `hostname` is the name in 421 replies and the domain of ``<postmaster>``. `starttls` offers TLS
    while the link is not secure. `auth` lists SASL mechanisms, offered on a secure link
    only unless `auth_without_tls`. `max_errors` is how many 5xx replies a client may cause between
    two accepted messages before 421; `max_idle_commands` how many commands that move no mail.
    `hold_max_seconds` is how long a message may be asked to be held (RFC 4865); 0: not offered.
    """

    hostname: str
    max_message_octets: int = 50 * 2**20
    max_recipients: int = 1000
    max_line_octets: int = 2048
    max_auth_line_octets: int = 12288  # RFC 4954 §4
    max_errors: int = 20
    max_transactions: int = 1000
    max_idle_commands: int = 1000
    hold_max_seconds: int = 0
    lmtp: bool = False
    starttls: bool = False
    auth: tuple[str, ...] = ()
    auth_required: bool = False
    tls_required: bool = False
    auth_without_tls: bool = False
    command_seconds: float = 300.0  # RFC 5321 §4.5.3.2.7
    data_idle_seconds: float = 180.0
    data_total_seconds: float = 3600.0
    session_total_seconds: float = 7200.0


class ClientTimeouts(Struct, frozen=True, kw_only=True):
    """How long a client waits for each answer, in seconds (RFC 5321 §4.5.3.2)."""

    greeting_seconds: float = 300.0
    hello_seconds: float = 300.0
    tls_seconds: float = 60.0
    auth_seconds: float = 300.0
    mail_seconds: float = 300.0
    rcpt_seconds: float = 300.0
    data_seconds: float = 120.0
    block_seconds: float = 180.0
    end_seconds: float = 600.0
    reset_seconds: float = 60.0
    quit_seconds: float = 10.0
