"""What a POP3 server machine may be told: offers, limits and time-outs."""

from msgspec import Struct

AUTOLOGOUT_MIN_SECONDS = 600.0  # RFC 1939 §3: "MUST be of at least 10 minutes' duration"


class ServerConfig(Struct, frozen=True, kw_only=True):
    """How a server machine behaves. Sizes are in octets, with the line end.

    `starttls` offers STLS while the link is not secure; logins in clear are refused unless
    `auth_without_tls`. `login_delay_seconds` is only announced here; who opens maildrops enforces it.
    `login_seconds` is for the whole way from the connection to the login, so that a client gains
    nothing by sending an octet now and then; `autologout_seconds` runs from command to command.
    `mechanisms` are those of SASL on offer.
    `max_errors` is how many commands of a session may be unknown, malformed or out of place.

    Raises `ValueError` for an autologout below ten minutes (RFC 1939 §3).
    """

    hostname: str
    implementation: str = "Postroad"
    starttls: bool = False
    auth_without_tls: bool = False
    mechanisms: tuple[str, ...] = ("SCRAM-SHA-256", "PLAIN", "LOGIN")
    login_delay_seconds: int = 0
    max_line_octets: int = 255  # RFC 2449 §4
    max_auth_line_octets: int = 12288  # RFC 5034 §4: what the mechanism needs, as RFC 4954 §4
    max_errors: int = 20
    max_login_failures: int = 3
    login_seconds: float = 60.0
    autologout_seconds: float = 600.0

    def __post_init__(self) -> None:
        if self.autologout_seconds < AUTOLOGOUT_MIN_SECONDS:
            raise ValueError(
                f"autologout after {self.autologout_seconds:g} s is below the"
                f" {AUTOLOGOUT_MIN_SECONDS:g} s that RFC 1939 asks for; set it higher"
            )
