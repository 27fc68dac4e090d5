"""Keys to sign with: making them, keeping them as text, and what to publish of them."""

from binascii import b2a_base64
from datetime import date

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from postroad.trust.dkim.record import MAX_RSA_BITS, MIN_RSA_BITS
from postroad.trust.dkim.result import Refused
from postroad.trust.dkim.signature import Algorithm
from postroad.trust.dkim.tags import domain as read_domain

RSA_BITS = 2048  # RFC 8301 §3.2 advises it; longer ones do not fit into one UDP answer

_PADDING = PKCS1v15()
_HASHED = Prehashed(SHA256())


class InvalidKey(ValueError):
    """The text is no key that we can sign with; says why."""


class SigningKey:
    """A private key with the domain that signs and the selector it is published under.

    Raises `InvalidKey` where domain or selector are no names, or the key is too weak.
    """

    __slots__ = ("_private", "algorithm", "domain", "selector")

    def __init__(
        self, domain: str, selector: str, private: RSAPrivateKey | Ed25519PrivateKey
    ) -> None:
        try:
            self.domain = read_domain(domain.encode(), "d", 2)
            self.selector = read_domain(selector.encode(), "s")
        except Refused as refused:
            raise InvalidKey(f"{selector!r} in {domain!r}: {refused.reason}") from None
        self._private = private
        self.algorithm = Algorithm.ED25519_SHA256
        if isinstance(private, RSAPrivateKey):
            self.algorithm = Algorithm.RSA_SHA256
            if not MIN_RSA_BITS <= private.key_size <= MAX_RSA_BITS:
                raise InvalidKey(f"an RSA key of {private.key_size} bits proves nothing")

    def sign(self, digest: bytes) -> bytes:
        """Return the signature over a SHA-256 (RFC 6376 §3.3.2, RFC 8463 §3)."""
        if isinstance(self._private, RSAPrivateKey):
            return self._private.sign(digest, _PADDING, _HASHED)
        return self._private.sign(digest)

    @property
    def name(self) -> str:
        """Where the public key belongs in the DNS."""
        return f"{self.selector}._domainkey.{self.domain}"

    def record(self) -> str:
        """Return the text of the TXT record to publish (RFC 6376 §3.6.1, RFC 8463 §4)."""
        public = self._private.public_key()
        if self.algorithm is Algorithm.RSA_SHA256:
            octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return f"v=DKIM1; k=rsa; h=sha256; p={_text(octets)}"
        octets = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; h=sha256; p={_text(octets)}"

    def pem(self) -> str:
        """Return the private key as PEM (PKCS #8, not encrypted)."""
        return self._private.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode("ascii")


def generate(
    domain: str, selector: str, algorithm: Algorithm, rsa_bits: int = RSA_BITS
) -> SigningKey:
    """Make a key. RSA takes tenths of a second: not on an event loop."""
    if algorithm is Algorithm.RSA_SHA256:
        return SigningKey(domain, selector, generate_private_key(65537, rsa_bits))
    return SigningKey(domain, selector, Ed25519PrivateKey.generate())


def load(domain: str, selector: str, pem: str) -> SigningKey:
    """Read a private key from PEM. Raises `InvalidKey`."""
    try:
        private = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidKey(f"no private key that can be read: {error}") from None
    if not isinstance(private, RSAPrivateKey | Ed25519PrivateKey):
        raise InvalidKey("DKIM knows RSA and Ed25519 keys only")
    return SigningKey(domain, selector, private)


def make_selector(day: date, algorithm: Algorithm) -> str:
    """Return a selector that says when a key was made, and of which kind: ``20261124r``."""
    return f"{day:%Y%m%d}{'r' if algorithm is Algorithm.RSA_SHA256 else 'e'}"


def zone_line(name: str, text: str) -> str:
    """Return a TXT record as a line of a zone file, in strings of at most 255 octets."""
    pieces = [text[start : start + 255] for start in range(0, len(text), 255)] or [""]
    quoted = " ".join('"' + each.replace("\\", "\\\\").replace('"', '\\"') + '"' for each in pieces)
    return f"{name}. IN TXT ( {quoted} )" if len(pieces) > 1 else f"{name}. IN TXT {quoted}"


def _text(octets: bytes) -> str:
    return b2a_base64(octets, newline=False).decode("ascii")
