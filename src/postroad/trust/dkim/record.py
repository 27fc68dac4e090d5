"""Keys in the DNS: where they are, what they say, and whether a signature fits."""

from functools import lru_cache
from typing import TypeAlias

import idna
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from msgspec import Struct

from postroad.ports.resolver import AnswerStatus, Resolver
from postroad.trust.dkim.result import Refused, Result
from postroad.trust.dkim.signature import Algorithm
from postroad.trust.dkim.tags import TagList, base64, words

MIN_RSA_BITS = 1024  # RFC 8301 §3.2
MAX_RSA_BITS = 8192
MAX_RSA_EXPONENT_BITS = 64  # a greater one only makes us work
MAX_RECORDS = 5

PublicKey: TypeAlias = RSAPublicKey | Ed25519PublicKey

_PADDING = PKCS1v15()
_HASHED = Prehashed(SHA256())


class KeyRecord(Struct, frozen=True):
    """A key that can be used. `strict`: i= must be in d= itself (t=s), `testing`: t=y."""

    key: PublicKey
    algorithm: Algorithm
    bits: int
    testing: bool = False
    strict: bool = False


def key_name(selector: str, domain: str) -> str:
    """Return where a key is (RFC 6376 §3.6.2.1), in A-labels (RFC 8616 §4). Raises `Refused`."""
    name = f"{selector}._domainkey.{domain}"
    try:
        ascii_name = ".".join(
            label if label.isascii() else idna.encode(label).decode("ascii")
            for label in name.split(".")
        )
    except idna.IDNAError:
        raise Refused(Result.PERMERROR, "d= or s= is no international domain name") from None
    if len(ascii_name) > 253:
        raise Refused(Result.PERMERROR, "d= and s= are together too long for the DNS")
    return ascii_name


async def find_key(selector: str, domain: str, resolver: Resolver) -> KeyRecord:
    """Look a key up (RFC 6376 §6.1.2). Raises `Refused`."""
    name = key_name(selector, domain)
    answer = await resolver.lookup(name, "TXT")
    if answer.status is AnswerStatus.FAILED:
        raise Refused(Result.TEMPERROR, f"no answer about the key {name}: {answer.detail}")
    if not answer.records:
        raise Refused(Result.PERMERROR, f"there is no key {name}")
    reasons = []
    for text in answer.records[:MAX_RECORDS]:
        try:
            return parse_key(text)
        except Refused as refused:
            reasons.append(refused)
    raise Refused(reasons[0].result, f"the key {name} is of no use: {reasons[0].reason}")


@lru_cache(maxsize=2048)
def parse_key(text: str) -> KeyRecord:
    """Read a key record (RFC 6376 §3.6.1). Raises `Refused`."""
    tags = TagList.parse(text.encode("utf-8", "replace"))
    values = tags.values
    if "v" in values and (next(iter(values)) != "v" or values["v"] != b"DKIM1"):
        raise Refused(Result.PERMERROR, "its v= is not DKIM1 or not first")
    if "p" in values and not values["p"]:
        raise Refused(Result.PERMERROR, "it is revoked")
    if "sha256" not in words(values.get("h", b"sha256")):
        raise Refused(Result.PERMERROR, "it does not allow sha256")
    services = words(values.get("s", b"*"))
    if "*" not in services and "email" not in services:
        raise Refused(Result.PERMERROR, "it is not for mail")
    flags = words(values.get("t", b""))
    kind = values.get("k", b"rsa")
    octets = base64(tags, "p")
    if kind == b"rsa":
        key, bits = _rsa(octets)
        algorithm = Algorithm.RSA_SHA256
    elif kind == b"ed25519":
        key, bits = _ed25519(octets)
        algorithm = Algorithm.ED25519_SHA256
    else:
        raise Refused(Result.PERMERROR, "its k= is no kind of key that we know")
    return KeyRecord(key, algorithm, bits, "y" in flags, "s" in flags)


def verifies(record: KeyRecord, signature: bytes, digest: bytes) -> bool:
    """Whether `signature` is by that key over a SHA-256 (RFC 6376 §6.1.3, RFC 8463 §3)."""
    key = record.key
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature, digest, _PADDING, _HASHED)
        else:
            key.verify(signature, digest)
    except InvalidSignature:
        return False
    return True


def _rsa(octets: bytes) -> tuple[PublicKey, int]:
    try:
        # SubjectPublicKeyInfo, or the bare RSAPublicKey of RFC 6376 §3.6.1
        key = load_der_public_key(octets)
    except (ValueError, UnsupportedAlgorithm):
        raise Refused(Result.PERMERROR, "its p= is no public key") from None
    if not isinstance(key, RSAPublicKey):
        raise Refused(Result.PERMERROR, "its p= is no RSA key")
    if key.key_size < MIN_RSA_BITS:
        raise Refused(Result.POLICY, f"{key.key_size} bits are too few, {MIN_RSA_BITS} the least")
    if key.key_size > MAX_RSA_BITS:
        raise Refused(Result.POLICY, f"{key.key_size} bits are too many, {MAX_RSA_BITS} the most")
    if key.public_numbers().e.bit_length() > MAX_RSA_EXPONENT_BITS:
        raise Refused(Result.POLICY, "its exponent is too great")
    return key, key.key_size


def _ed25519(octets: bytes) -> tuple[PublicKey, int]:
    try:
        return Ed25519PublicKey.from_public_bytes(octets), 256
    except (ValueError, UnsupportedAlgorithm):
        raise Refused(Result.PERMERROR, "its p= is no Ed25519 key") from None


def read_key(text: str) -> KeyRecord | str:
    """Read a key record; return what is wrong with one that cannot be used."""
    try:
        return parse_key(text)
    except Refused as refused:
        return refused.reason
