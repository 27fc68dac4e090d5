"""Return paths of our own for mail that we send: what comes back to them tells what it is about.

The envelope's sender becomes ``bounce+TOKEN@example.org``. The token names the message, and the delivery
where only one is made, and the day it was made on; it is signed with a secret, so that nobody else can
make one (as in VERP and BATV). It lives as long as bounces may come, and no longer. Letters may change
their case on the way::

    bounce+TOKEN@example.org      TOKEN = base32(message, ordinal, day, MAC), 36 letters
"""

import base64
import binascii
import hmac
import struct

from msgspec import Struct

from postroad.model import Address
from postroad.model.address import LOCAL_PART_MAX_OCTETS

MIN_SECRET_OCTETS = 16
TOKEN_LETTERS = 36
SEPARATOR = "+"
MAX_BASE_OCTETS = LOCAL_PART_MAX_OCTETS - TOKEN_LETTERS - 1
"""How long the local part may be to which a token is added."""

_DAY_SECONDS = 86_400
_DAYS = 65_536
_MAC_OCTETS = 10
_NO_ORDINAL = 0xFFFF
_FORM = struct.Struct(">QHH")
_PADDING = "=" * (-TOKEN_LETTERS % 8)


class ReturnPathInvalid(Exception):
    """The address is no return path of ours: not signed by us, too old, or no address of this form."""


class ReturnTo(Struct, frozen=True):
    """What a return path stands for. `ordinal` is None where several deliveries shared it."""

    message: int
    ordinal: int | None


class ReturnPaths:
    """Makes and reads return paths, with a secret of at least 16 octets.

    Raises `ValueError` for a secret that can be guessed.
    """

    __slots__ = ("_secret", "_valid_days")

    def __init__(self, secret: bytes, valid_days: int = 30) -> None:
        if len(secret) < MIN_SECRET_OCTETS:
            raise ValueError(f"a secret of {len(secret)} octets can be guessed")
        self._secret = secret
        self._valid_days = valid_days

    def make(self, base: Address, to: ReturnTo, now: float) -> Address:
        """Return the return path at `base`. `now` is in seconds since 1970."""
        ordinal = _NO_ORDINAL if to.ordinal is None else to.ordinal
        if ordinal > _NO_ORDINAL:
            ordinal = _NO_ORDINAL  # the report must name the recipient then
        told = _FORM.pack(to.message, ordinal, int(now // _DAY_SECONDS) % _DAYS)
        token = base64.b32encode(told + self._mac(base, told)).decode("ascii")
        local_part = f"{base.local_part}{SEPARATOR}{token.rstrip('=').lower()}"
        return Address(local_part, base.domain)

    def read(self, address: Address, now: float) -> ReturnTo:
        """Return what an address of this form stands for. Raises `ReturnPathInvalid`."""
        local_part, separator, token = address.local_part.rpartition(SEPARATOR)
        if not separator or not local_part or len(token) != TOKEN_LETTERS:
            raise ReturnPathInvalid("it is no address of this form")
        try:
            told = base64.b32decode(token.upper() + _PADDING)
        except (binascii.Error, ValueError):
            raise ReturnPathInvalid("it is no address of this form") from None
        told, mac = told[: _FORM.size], told[_FORM.size :]
        expected = self._mac(Address(local_part, address.domain), told)
        if not hmac.compare_digest(mac, expected):
            raise ReturnPathInvalid("it was not made here, or was changed on its way")
        message, ordinal, day = _FORM.unpack(told)
        age = (int(now // _DAY_SECONDS) - day) % _DAYS
        # The clocks of servers that share a store may differ by a day.
        if age > self._valid_days and age != _DAYS - 1:
            raise ReturnPathInvalid(f"it is older than {self._valid_days} days")
        return ReturnTo(message, None if ordinal == _NO_ORDINAL else ordinal)

    def _mac(self, base: Address, told: bytes) -> bytes:
        text = f"return path {base.folded} ".encode() + told
        return hmac.digest(self._secret, text, "sha256")[:_MAC_OCTETS]


def looks_like_one(address: Address) -> bool:
    """Whether an address has this form, whoever made it."""
    return address.local_part[-TOKEN_LETTERS - 1 : -TOKEN_LETTERS] == SEPARATOR
