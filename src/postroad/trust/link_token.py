"""Links of ours in mail that we send: what they stand for is in them, signed, so nothing is stored.

Three kinds::

    /u/TOKEN          TOKEN = base64url(message, stream, address, MAC): unsubscribe; lives for ever
    /o/TOKEN.gif      TOKEN = base64url(last day, message, ordinal, MAC): the message was opened
    /c/TOKEN/TARGET   TARGET = base64url(where the link leads), which the MAC covers: it was followed

Each kind has a MAC of its own. Only who got the message knows its links; nobody else can make one, so
none leads to a place that we did not put into a message, and nobody can be unsubscribed by guessing.
"""

import base64
import binascii
import hmac
import struct
from typing import TypeAlias

from msgspec import Struct

from postroad.model import Address, InvalidAddress
from postroad.trust.return_path import MIN_SECRET_OCTETS

MAX_TARGET_OCTETS = 2_000
MAX_PATH_OCTETS = 4_000
"""Longer paths than that are none of ours, and are not looked at."""

_DAY_SECONDS = 86_400
_LAST_DAY = 65_535
_MAC_OCTETS = 16
_TRACK = struct.Struct(">HQH")
_MESSAGE = struct.Struct(">QB")


class LinkInvalid(Exception):
    """The link is none of ours: not signed by us, changed on its way, or of no such form."""


class LinkExpired(LinkInvalid):
    """The link is ours, and its time is over."""


class UnsubscribeLink(Struct, frozen=True):
    """`address`, to which `message` went, shall get nothing of `stream` any more."""

    message: int
    stream: str
    address: Address


class OpenLink(Struct, frozen=True):
    """The picture in the message of one delivery."""

    message: int
    ordinal: int


class ClickLink(Struct, frozen=True):
    """A link to `target` in the message of one delivery."""

    message: int
    ordinal: int
    target: str


Link: TypeAlias = UnsubscribeLink | OpenLink | ClickLink


class LinkTokens:
    """Makes and reads the paths of links, with a secret of at least 16 octets.

    Raises `ValueError` for a secret that can be guessed.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MIN_SECRET_OCTETS:
            raise ValueError(f"a secret of {len(secret)} octets can be guessed")
        self._secret = secret

    def make(self, link: Link, until: float = 0.0) -> str:
        """Return the path of a link, from its first ``/``. Those of opens and clicks are good up to the
        end of the day of `until`, in seconds since 1970.

        Raises `ValueError` for a target that is longer than `MAX_TARGET_OCTETS`, or not ASCII.
        """
        if isinstance(link, UnsubscribeLink):
            stream = link.stream.encode()
            told = _MESSAGE.pack(link.message, len(stream)) + stream + str(link.address).encode()
            return f"/u/{_text(told + self._mac(b'u', told))}"
        told = _TRACK.pack(min(int(until // _DAY_SECONDS), _LAST_DAY), link.message, link.ordinal)
        if isinstance(link, OpenLink):
            return f"/o/{_text(told + self._mac(b'o', told))}.gif"
        target = link.target.encode("ascii")
        if len(target) > MAX_TARGET_OCTETS:
            raise ValueError(f"a target of more than {MAX_TARGET_OCTETS} octets")
        return f"/c/{_text(told + self._mac(b'c', told + target))}/{_text(target)}"

    def read(self, path: str, now: float) -> Link:
        """Return what a path stands for. Raises `LinkInvalid`, and of these `LinkExpired`."""
        if len(path) > MAX_PATH_OCTETS:
            raise LinkInvalid("it is no link of this form")
        match path.split("/"):
            case ["", "u", token]:
                return self._read_unsubscribe(_octets(token))
            case ["", "o", token]:
                told = self._proven(b"o", _octets(token.removesuffix(".gif")))
                message, ordinal = self._fresh(told, now)
                return OpenLink(message, ordinal)
            case ["", "c", token, target]:
                aimed = _octets(target)
                told = self._proven(b"c", _octets(token), aimed)
                message, ordinal = self._fresh(told, now)
                return ClickLink(message, ordinal, aimed.decode("ascii"))
            case _:
                raise LinkInvalid("it is no link of this form")

    def _read_unsubscribe(self, octets: bytes) -> UnsubscribeLink:
        told = self._proven(b"u", octets)
        try:
            message, length = _MESSAGE.unpack_from(told)
            stream = told[_MESSAGE.size : _MESSAGE.size + length].decode()
            address = Address.parse(told[_MESSAGE.size + length :].decode())
        except (struct.error, UnicodeDecodeError, InvalidAddress):
            raise LinkInvalid("it is no link of this form") from None
        return UnsubscribeLink(message, stream, address)

    @staticmethod
    def _fresh(told: bytes, now: float) -> tuple[int, int]:
        if len(told) != _TRACK.size:
            raise LinkInvalid("it is no link of this form")
        day, message, ordinal = _TRACK.unpack(told)
        if now // _DAY_SECONDS > day:
            raise LinkExpired("its time is over")
        return message, ordinal

    def _proven(self, kind: bytes, octets: bytes, beside: bytes = b"") -> bytes:
        told, mac = octets[:-_MAC_OCTETS], octets[-_MAC_OCTETS:]
        if not hmac.compare_digest(mac, self._mac(kind, told + beside)):
            raise LinkInvalid("it was not made here, or was changed on its way")
        return told

    def _mac(self, kind: bytes, told: bytes) -> bytes:
        return hmac.digest(self._secret, b"link " + kind + b" " + told, "sha256")[:_MAC_OCTETS]


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode("ascii").rstrip("=")


def _octets(text: str) -> bytes:
    try:
        octets = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise LinkInvalid("it is no link of this form") from None
    if _text(octets) != text:
        raise LinkInvalid("it is no link of this form")  # bits that stand for nothing
    return octets
