"""Signing what we send (RFC 6376 §5).

The body is hashed once for all keys; the signed fields are put into canonical form once. There is never
an l= (RFC 6376 §8.2): the whole body is signed. The fields in `OVERSIGNED` are named once more than they
occur, so that none of them can be added to the message later (RFC 6376 §8.15).
"""

import hashlib
from binascii import b2a_base64
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from postroad.message.header import Header, header_end
from postroad.trust.dkim.canonical import BodyHasher, BodyKind, Form
from postroad.trust.dkim.keys import SigningKey
from postroad.trust.dkim.selection import Selection, hash_own_field

# What a reader sees, and what decides how the body is shown.
OVERSIGNED = (
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "reply-to",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
)
# Signed where they are there (RFC 6376 §5.4.1; RFC 8058 §4 asks for List-Unsubscribe-Post).
SIGNED = (
    "sender",
    "in-reply-to",
    "references",
    "content-disposition",
    "content-id",
    "content-description",
    "resent-from",
    "resent-to",
    "resent-cc",
    "resent-date",
    "resent-message-id",
    "list-id",
    "list-help",
    "list-post",
    "list-subscribe",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-owner",
    "list-archive",
    "feedback-id",
    "auto-submitted",
)
MAX_OF_A_NAME = 100
_ALL = OVERSIGNED + SIGNED
_WANTED = {name.encode(): name for name in _ALL}


class SignSettings(Struct, frozen=True):
    """How to sign. `expires_seconds`: for how long a signature holds (x=), None for always."""

    header_form: Form = Form.RELAXED
    body_form: Form = Form.RELAXED
    expires_seconds: int | None = None


DEFAULT_SETTINGS = SignSettings()


class Signer:
    """Signs messages with one or several keys: one signature for each."""

    def __init__(
        self, keys: Sequence[SigningKey], settings: SignSettings = DEFAULT_SETTINGS
    ) -> None:
        self.keys = tuple(keys)
        self._settings = settings
        self._body_kind = BodyKind(settings.body_form)
        self._forms = f"{settings.header_form.value}/{settings.body_form.value}"

    def body_hasher(self) -> BodyHasher:
        """Return what to feed the body of one message to, for `sign`."""
        return BodyHasher((self._body_kind,))

    def body_digest(self, body: bytes) -> bytes:
        """Return the SHA-256 of a whole body in canonical form, for `sign_hashed`."""
        hasher = self.body_hasher()
        hasher.write(body)
        return hasher.digest(self._body_kind)

    def sign(self, header: Header, body: BodyHasher, now: float) -> bytes:
        """Return the fields to put on top of the header, the first key's topmost.

        A message without From cannot be signed (RFC 6376 §5.4): that gives ``b""``.
        """
        return self.sign_hashed(header, body.digest(self._body_kind), now)

    def sign_hashed(self, header: Header, body_digest: bytes, now: float) -> bytes:
        """Sign as `sign` does, where the body's canonical form was hashed elsewhere."""
        return self._sign(Selection(header), body_digest, now)

    def sign_octets(self, head: bytes, body_digest: bytes, now: float) -> bytes:
        """Sign as `sign_hashed` does; `head` is the header as it stands, which need not be parsed."""
        return self._sign(Selection.of_octets(head, _WANTED), body_digest, now)

    def _sign(self, selection: Selection, body_digest: bytes, now: float) -> bytes:
        if not selection.count("from"):
            return b""
        _, folded, places = _names(selection.counts(_ALL))
        prefix = hashlib.sha256(selection.octets_at(places, self._settings.header_form))
        body_hash = b2a_base64(body_digest, newline=False).decode("ascii")
        time = int(now)
        times = f"t={time};"
        if self._settings.expires_seconds is not None:
            times += f" x={time + self._settings.expires_seconds};"
        end = f"\r\n\t{times} bh={body_hash};\r\n\th={folded};\r\n\tb="
        fields = []
        for key in self.keys:
            unsigned = (
                f"DKIM-Signature: v=1; a={key.algorithm.value}; c={self._forms};"
                f"\r\n\td={key.domain}; s={key.selector};{end}"
            ).encode()
            digest = hash_own_field(prefix.copy(), unsigned, self._settings.header_form)
            fields.append(unsigned + folded_base64(key.sign(digest)))
        return b"".join(fields)


def sign(
    message: bytes,
    keys: Sequence[SigningKey],
    now: float,
    settings: SignSettings = DEFAULT_SETTINGS,
) -> bytes:
    """Return the fields to put on top of a whole message."""
    signer = Signer(keys, settings)
    body = signer.body_hasher()
    end = header_end(message)
    if end >= 0:
        body.write(memoryview(message)[end:])
    return signer.sign(Header.parse(message), body, now)


def signed_names(selection: Selection) -> list[str]:
    """Return what h= is to have (RFC 6376 §5.4)."""
    return list(_names(selection.counts(_ALL))[0])


@lru_cache(maxsize=256)
def _names(counts: tuple[int, ...]) -> tuple[tuple[str, ...], str, tuple[tuple[str, int], ...]]:
    """The names for a header that has so many fields of each of `_ALL`, their list, folded, and where
    the fields are that these stand for: the last of several first.
    """
    names: list[str] = []
    places: list[tuple[str, int]] = []
    for name, count in zip(_ALL, counts, strict=True):
        signed = min(count, MAX_OF_A_NAME)
        names.extend([name] * (signed + (name in OVERSIGNED)))
        places.extend((name, -number) for number in range(1, signed + 1))
    return tuple(names), folded_names(names), tuple(places)


def folded_names(names: Sequence[str]) -> str:
    """Return a list of names with colons, in lines of at most 78 octets."""
    lines = []
    line = ""
    for name in names:
        if line and len(line) + len(name) > 70:
            lines.append(line)
            line = ""
        line += f"{name}:"
    lines.append(line[:-1])
    return "\r\n\t ".join(lines)


def folded_base64(octets: bytes) -> bytes:
    """Return octets as base64 in lines of at most 78 octets, with the end of the field."""
    text = b2a_base64(octets, newline=False)
    pieces = [text[start : start + 72] for start in range(0, len(text), 72)]
    return b"\r\n\t ".join(pieces) + b"\r\n"
