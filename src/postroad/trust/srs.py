"""The Sender Rewriting Scheme: forwarded mail in a name that we may send for, and back.

Who forwards mail sends it from an address that the sender's SPF record does not name. So the envelope's
sender becomes one in a domain of ours that tells the true one, signed, so that a bounce finds its way
back through us and nobody else can make such addresses::

    jo@there.test                      forwarded by us    SRS0=HASH=TT=there.test=jo@here.test
    SRS0=…=there.test=jo@relay.test    forwarded by us    SRS1=HASH=relay.test==…=there.test=jo@here.test

A sender too long for that is not in the address: the message is, which we keep, and which knows him::

    jo+long@there.test                 forwarded by us    SRS2=HASH=TT=MESSAGE@here.test

The scheme is by Meng Weng Wong and Shevek; hash and time are opaque to all but who made them. TT is the
day it was made (modulo 1024), so that addresses which leak do not live for ever. Letters may change
their case on the way.
"""

import base64
import hmac
import re
from functools import lru_cache

from postroad.model import Address, InvalidId, format_id, parse_id
from postroad.model.address import LOCAL_PART_MAX_OCTETS

HASH_LETTERS = 6
MAX_AGE_DAYS = 21
MIN_SECRET_OCTETS = 16

_DAY_SECONDS = 86_400
_DAYS = 1024
_DIGITS = "abcdefghijklmnopqrstuvwxyz234567"
_SRS = re.compile(r"SRS([01])[=+-](.+)", re.IGNORECASE | re.DOTALL)
_KEPT = re.compile(r"SRS2[=+-]([^=]*)=(([^=]*)=(.*))", re.IGNORECASE | re.DOTALL)


class SrsInvalid(Exception):
    """The address is no way back: not signed by us, too old, or no address of this scheme."""


class Srs:
    """Rewrites with a secret of at least 16 octets; old ones still open what they signed.

    Raises `ValueError` for a secret that can be guessed.
    """

    __slots__ = ("_secret", "_secrets")

    def __init__(self, secret: bytes, old_secrets: tuple[bytes, ...] = ()) -> None:
        if len(secret) < MIN_SECRET_OCTETS:
            raise ValueError(f"a secret of {len(secret)} octets can be guessed")
        self._secret = secret
        self._secrets = (secret, *old_secrets)

    def forward(self, sender: Address, domain: str, now: float) -> Address | None:
        """Return the sender under which we pass mail on, in our `domain`; None where it would be longer
        than a local part may be (RFC 5321 §4.5.3.1.1). `now` is in seconds since 1970.
        """
        known = _SRS.fullmatch(sender.local_part)
        if known is None:
            inner = f"{_day(now)}={sender.domain}={sender.local_part}"
            local_part = f"SRS0={_hash(self._secret, '0', inner)}={inner}"
        else:
            # Only the first forwarder and the last need be on the way back.
            rest = known[2]
            first = sender.domain
            if known[1] == "1":
                _, _, rest = rest.partition("=")
                first, separator, rest = rest.partition("==")
                if not separator:
                    return None
            inner = f"{first}=={rest}"
            local_part = f"SRS1={_hash(self._secret, '1', inner)}={inner}"
        found = Address(local_part, domain)
        if len(found.quoted_local_part.encode()) > LOCAL_PART_MAX_OCTETS:
            return None
        return found

    def forward_kept(self, message: int, domain: str, now: float) -> Address:
        """Return a sender of our `domain` that leads back by a message which is kept, by its id. It is
        short, whatever its true sender is.
        """
        inner = f"{_day(now)}={format_id(message)}"
        return Address(f"SRS2={_hash(self._secret, '2', inner)}={inner}", domain)

    def kept(self, local_part: str, now: float) -> int | None:
        """Return the message whose sender a local part of ours leads back to, None where it tells the
        sender itself. Raises `SrsInvalid`.
        """
        known = _KEPT.fullmatch(local_part)
        if known is None:
            return None
        mark, inner, day, number = known.groups()
        self._check("2", mark, inner)
        _check_age(day, now)
        try:
            return parse_id(number)
        except InvalidId as error:
            raise SrsInvalid(str(error)) from None

    def back(self, local_part: str, now: float) -> Address:
        """Return who a local part of ours leads back to. Raises `SrsInvalid`."""
        known = _SRS.fullmatch(local_part)
        if known is None:
            raise SrsInvalid("it is no address of forwarded mail")
        mark, _, inner = known[2].partition("=")
        self._check(known[1], mark, inner)
        if known[1] == "1":
            first, _, rest = inner.partition("==")
            return _address(f"SRS0={rest}", first)
        day, _, rest = inner.partition("=")
        _check_age(day, now)
        domain, _, original = rest.partition("=")
        return _address(original, domain)

    def _check(self, kind: str, mark: str, inner: str) -> None:
        given = mark.lower().encode()
        if not any(
            hmac.compare_digest(given, _hash(secret, kind, inner).encode())
            for secret in self._secrets
        ):
            raise SrsInvalid("it was not made here, or was changed on its way")


def is_srs(local_part: str) -> bool:
    """Whether a local part looks like one of this scheme."""
    return local_part[:3].upper() == "SRS" and (
        _SRS.fullmatch(local_part) is not None or _KEPT.fullmatch(local_part) is not None
    )


@lru_cache(maxsize=1024)  # few senders send most of what is passed on
def _hash(secret: bytes, kind: str, inner: str) -> str:
    digest = hmac.digest(secret, f"SRS{kind}={inner.lower()}".encode(), "sha256")
    # Five octets are eight letters.
    return base64.b32encode(digest[:5]).decode("ascii")[:HASH_LETTERS].lower()


def _day(now: float) -> str:
    day = int(now // _DAY_SECONDS) % _DAYS
    return _DIGITS[day >> 5] + _DIGITS[day & 31]


def _check_age(day: str, now: float) -> None:
    if not _is_fresh(day, now):
        raise SrsInvalid(f"it is older than {MAX_AGE_DAYS} days")


def _is_fresh(text: str, now: float) -> bool:
    lower = text.lower()
    if len(lower) != 2 or any(letter not in _DIGITS for letter in lower):
        return False
    day = _DIGITS.index(lower[0]) * 32 + _DIGITS.index(lower[1])
    return (int(now // _DAY_SECONDS) - day) % _DAYS <= MAX_AGE_DAYS


def _address(local_part: str, domain: str) -> Address:
    if not local_part or not domain:
        raise SrsInvalid("it leads to no address")
    return Address(local_part, domain.lower())
