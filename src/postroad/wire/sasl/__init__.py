"""SASL (RFC 4422) without I/O: SCRAM-SHA-256 and its -PLUS, PLAIN, LOGIN, OAUTHBEARER, XOAUTH2.

The server's side is one exchange per login (`make_server`): octets of the client in, a `Step` out.
It holds no passwords and looks nothing up; what has to be judged comes out as a value. Whoever carries
the octets (SMTP, POP3) puts them into base 64. Import from here.
"""

from postroad.wire.sasl.base64 import decode_message, encode_initial, encode_message
from postroad.wire.sasl.bearer import denial
from postroad.wire.sasl.client import SaslClient, make_client
from postroad.wire.sasl.scram import derive_keys
from postroad.wire.sasl.server import (
    MECHANISMS,
    PLUS,
    BearerServer,
    Mechanism,
    ScramServer,
    make_server,
)
from postroad.wire.sasl.steps import (
    Challenge,
    Failed,
    KeysWanted,
    PasswordGiven,
    Proven,
    SaslMalformed,
    Step,
    TokenGiven,
)

__all__ = [
    "MECHANISMS",
    "PLUS",
    "BearerServer",
    "Challenge",
    "Failed",
    "KeysWanted",
    "Mechanism",
    "PasswordGiven",
    "Proven",
    "SaslClient",
    "SaslMalformed",
    "ScramServer",
    "Step",
    "TokenGiven",
    "decode_message",
    "denial",
    "derive_keys",
    "encode_initial",
    "encode_message",
    "make_client",
    "make_server",
]
