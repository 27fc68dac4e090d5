"""Time-based codes (RFC 6238) of six digits, each good for 30 seconds, by HMAC-SHA-1: what every
authenticator app reckons. Pure: `now` is seconds since 1970.
"""

import base64
import hmac
from urllib.parse import quote

DIGITS = 6
STEP_SECONDS = 30
SECRET_OCTETS = 20  # RFC 4226 §4 R6 recommends 160 bits


def step_of(now: float) -> int:
    """Return the number of the step that `now` is in (RFC 6238 §4.2)."""
    return int(now // STEP_SECONDS)


def code_at(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """Return the code of a step (RFC 4226 §5.3, with the step for a counter)."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 0xF
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def matching_step(secret: bytes, code: str, now: float, *, after: int = 0) -> int | None:
    """Return the step, later than `after`, that `code` is of: this one, the last or the next, for clocks
    differ and people type slowly (RFC 6238 §5.2, RFC 6238 §6). None where it is of none of them.
    """
    found = None
    current = step_of(now)
    for step in (current - 1, current, current + 1):
        fits = hmac.compare_digest(code_at(secret, step).encode(), code.encode("utf-8", "replace"))
        if fits and step > after:
            found = step
    return found


def to_base32(secret: bytes) -> str:
    """Return a secret as people type it."""
    return base64.b32encode(secret).decode().rstrip("=")


def key_uri(secret: bytes, account: str, issuer: str) -> str:
    """Return what authenticator apps read from a QR code: an ``otpauth:`` URI, whose defaults are
    ours."""
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    return f"otpauth://totp/{label}?secret={to_base32(secret)}&issuer={quote(issuer, safe='')}"
