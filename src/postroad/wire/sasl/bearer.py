"""The messages of OAUTHBEARER (RFC 7628 §3.1) and of XOAUTH2, its predecessor."""

import json
import re

from postroad.wire.sasl.scram import decode_name, encode_name
from postroad.wire.sasl.steps import SaslMalformed, TokenGiven

_OAUTHBEARER = re.compile(
    rb"(?:n|y),(?:a=(?P<authzid>[^,\x00\x01]*))?,\x01(?P<pairs>(?:[A-Za-z]+=[\x20-\x7e\r\n\t]*\x01)*)\x01"
)
_XOAUTH2 = re.compile(rb"user=(?P<user>[^\x00\x01]*)\x01auth=(?P<auth>[\x20-\x7e]*)\x01\x01")
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)  # RFC 6750 §2.1


def read_oauthbearer(message: bytes) -> TokenGiven:
    """Return what the client says of itself. RFC 7628 §3.1. Raises `SaslMalformed`."""
    match = _OAUTHBEARER.fullmatch(message)
    if match is None:
        raise SaslMalformed("this is no OAUTHBEARER message")
    values = [
        value.decode("ascii")
        for name, _, value in (pair.partition(b"=") for pair in match["pairs"].split(b"\x01"))
        if name.lower() == b"auth"
    ]
    if len(values) != 1:
        raise SaslMalformed("an OAUTHBEARER message has one auth= with a bearer token")
    return TokenGiven(decode_name(_utf8(match["authzid"] or b"")), _token(values[0]))


def read_xoauth2(message: bytes) -> TokenGiven:
    """Return what the client says of itself. Raises `SaslMalformed`."""
    match = _XOAUTH2.fullmatch(message)
    if match is None:
        raise SaslMalformed("this is no XOAUTH2 message")
    return TokenGiven(_utf8(match["user"]), _token(match["auth"].decode("ascii")))


def write_oauthbearer(username: str, token: str) -> bytes:
    """Return the client's message. RFC 7628 §3.1."""
    return f"n,a={encode_name(username)},\x01auth=Bearer {token}\x01\x01".encode()


def write_xoauth2(username: str, token: str) -> bytes:
    """Return the client's message."""
    return f"user={username}\x01auth=Bearer {token}\x01\x01".encode()


def denial(mechanism: str, discovery_url: str) -> bytes:
    """Return what a client is told whose token is no good (RFC 7628 §3.2.2).

    `discovery_url` is where it learns who gives tokens, ``""`` where there is no such place.
    """
    if mechanism == "XOAUTH2":
        return json.dumps({"status": "401", "schemes": "bearer", "scope": "mail"}).encode()
    document = {"status": "invalid_token"}
    if discovery_url:
        document["openid-configuration"] = discovery_url
    return json.dumps(document).encode()


def _token(value: str) -> str:
    match = _BEARER.fullmatch(value)
    if match is None:
        raise SaslMalformed("the token must be a bearer token")
    return match[1]


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise SaslMalformed("this is not UTF-8") from None
