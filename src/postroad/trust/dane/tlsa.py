"""A TLSA record (RFC 6698 §2) and what it says of a certificate or a key."""

import hashlib
from collections.abc import Iterable
from enum import IntEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_der_public_key,
)
from msgspec import Struct

_MAX_DATA_OCTETS = 16 * 1024
_DIGESTS = {1: (hashlib.sha256, 32), 2: (hashlib.sha512, 64)}


class Usage(IntEnum):
    """RFC 7218 §2.1."""

    PKIX_TA = 0
    PKIX_EE = 1
    DANE_TA = 2
    DANE_EE = 3


class Tlsa(Struct, frozen=True):
    """One record: which certificate of the chain (`usage`), what of it (`selector`: 0 all of it, 1 its
    public key), and how it is told (`matching`: 0 itself, 1 SHA-256, 2 SHA-512).
    """

    usage: int
    selector: int
    matching: int
    data: bytes

    def __str__(self) -> str:
        """In words for operators, the data cut short."""
        told = self.data.hex()
        return f"{self.usage} {self.selector} {self.matching} {told[:16]}{'…' * (len(told) > 16)}"

    @property
    def text(self) -> str:
        """In presentation form (RFC 6698 §2.2)."""
        return f"{self.usage} {self.selector} {self.matching} {self.data.hex()}"

    def fits(self, certificate: bytes, key: bytes) -> bool:
        """Whether it tells of this certificate, or of its public key; both in DER."""
        subject = key if self.selector == 1 else certificate
        if self.matching == 0:
            return self.data == subject
        digest, _ = _DIGESTS[self.matching]
        return self.data == digest(subject).digest()


def parse_tlsa(text: str) -> Tlsa | None:
    """Read a record in presentation form; None where it is none."""
    words = text.split(None, 3)
    if len(words) != 4 or not all(word.isascii() and word.isdigit() for word in words[:3]):
        return None
    numbers = [int(word) for word in words[:3]]
    try:
        data = bytes.fromhex(words[3])
    except ValueError:
        return None
    if max(numbers) > 255 or len(data) > _MAX_DATA_OCTETS:
        return None
    usage, selector, matching = numbers
    return Tlsa(usage, selector, matching, data)


def usable(records: Iterable[Tlsa]) -> tuple[Tlsa, ...]:
    """Return those that SMTP may go by (RFC 7672 §3.1): usages 2 and 3 with known parameters and data
    that can fit something. Usages 0 and 1 ask for authorities that SMTP does not agree on
    (RFC 7672 §3.1.3).
    """
    return tuple(record for record in records if record.usage in (2, 3) and _is_well_formed(record))


def _is_well_formed(record: Tlsa) -> bool:
    if record.selector not in (0, 1) or not record.data:
        return False
    if record.matching in _DIGESTS:
        return len(record.data) == _DIGESTS[record.matching][1]
    if record.matching != 0:
        return False
    try:
        if record.selector == 1:
            load_der_public_key(record.data)
        else:
            x509.load_der_x509_certificate(record.data)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True
