"""POP3: RFC 1939 with CAPA (RFC 2449), STLS (RFC 2595), response codes (RFC 3206), SASL (RFC 5034)
and UTF8 (RFC 6856). Import from here: ``from postroad.wire.pop3 import POP3Server``.
"""

from postroad.wire.pop3.dialogue import LocalProtocolError
from postroad.wire.pop3.events import (
    Auth,
    AuthResponse,
    Closed,
    Commit,
    Login,
    Opened,
    Question,
    Retrieve,
    ServerEvent,
    StartTls,
)
from postroad.wire.pop3.grammar import ResponseCode
from postroad.wire.pop3.server import POP3Server
from postroad.wire.pop3.settings import ServerConfig
from postroad.wire.pop3.states import State

__all__ = [
    "Auth",
    "AuthResponse",
    "Closed",
    "Commit",
    "LocalProtocolError",
    "Login",
    "Opened",
    "POP3Server",
    "Question",
    "ResponseCode",
    "Retrieve",
    "ServerConfig",
    "ServerEvent",
    "StartTls",
    "State",
]
