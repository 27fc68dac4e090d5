"""What a certificate says, as far as DANE asks: its key's octets, its names, whether it may sign others.

Reading a certificate from a stranger raises `CertificateInvalid` for whatever the library trips over.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

_KNOWN_CRITICAL = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.NAME_CONSTRAINTS,
}
_SEQUENCE, _VERSION_TAG = 0x30, 0xA0


_Kind = TypeVar("_Kind", bound=x509.ExtensionType)


class CertificateInvalid(Exception):
    """A certificate that cannot be read; the message says what the library said."""


class Certificate:
    """A certificate and its octets: `der` the whole, `key` its SubjectPublicKeyInfo."""

    def __init__(self, der: bytes) -> None:
        try:
            self.x509 = x509.load_der_x509_certificate(der)
            self._extensions = self.x509.extensions
            self.key = _key_octets(der)
            self.subject = self.x509.subject.public_bytes()
            self.issuer = self.x509.issuer.public_bytes()
        except (
            ValueError,
            IndexError,
            UnsupportedAlgorithm,
            x509.DuplicateExtension,
            x509.InvalidVersion,
        ) as error:
            raise CertificateInvalid(f"a certificate cannot be read: {error}") from error
        self.der = der

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same."""
        return self.subject == self.issuer

    def is_valid_at(self, at: datetime) -> bool:
        """Whether it is within its time."""
        return self.x509.not_valid_before_utc <= at <= self.x509.not_valid_after_utc

    def is_signed_by(self, issuer: "Certificate") -> bool:
        """Whether `issuer` has the name that it gives and the key that made its signature."""
        try:
            self.x509.verify_directly_issued_by(issuer.x509)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True

    def is_signed_by_key(self, key: object) -> bool:
        """Whether a public key made its signature."""
        body, signature = self.x509.tbs_certificate_bytes, self.x509.signature
        algorithm = self.x509.signature_hash_algorithm
        try:
            if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
                scheme = self.x509.signature_algorithm_parameters
                assert isinstance(scheme, padding.PKCS1v15 | padding.PSS)
                key.verify(signature, body, scheme, algorithm)
            elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
                key.verify(signature, body, ec.ECDSA(algorithm))
            elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
                key.verify(signature, body)
            else:
                return False
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, AssertionError):
            return False
        return True

    def may_sign(self, below: int) -> str:
        """Return why it may not sign a certificate with `below` authorities between it and the leaf
        (RFC 5280 §4.2.1.9, §4.2.1.3), ``""`` if it may.
        """
        constraints = self._extension(x509.BasicConstraints)
        if constraints is None or not constraints.ca:
            return "it is no authority"
        if constraints.path_length is not None and below > constraints.path_length:
            return "the chain below it is longer than it allows"
        usage = self._extension(x509.KeyUsage)
        if usage is not None and not usage.key_cert_sign:
            return "its key is not for signing certificates"
        return self.unknown_critical()

    def may_serve(self) -> str:
        """Return why it is not for TLS servers (RFC 5280 §4.2.1.12), ``""`` if it is."""
        usage = self._extension(x509.ExtendedKeyUsage)
        if usage is not None and not {
            ExtendedKeyUsageOID.SERVER_AUTH,
            ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        } & set(usage):
            return "it is not for TLS servers"
        return self.unknown_critical()

    def unknown_critical(self) -> str:
        """Return what it demands that we do not know (RFC 5280 §4.2), ``""`` if nothing."""
        for extension in self._extensions:
            if extension.critical and extension.oid not in _KNOWN_CRITICAL:
                return f"it has an unknown critical extension {extension.oid.dotted_string}"
        return ""

    @property
    def names(self) -> list[str]:
        """Its DNS names in lower case; the common name stands in where it has none (RFC 7672 §3.2.3)."""
        alternative = self._extension(x509.SubjectAlternativeName)
        if alternative is not None:
            found = alternative.get_values_for_type(x509.DNSName)
            if found:
                return [name.lower().removesuffix(".") for name in found]
        common = self.x509.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return [str(each.value).lower().removesuffix(".") for each in common[-1:]]

    def is_for(self, wanted: Sequence[str]) -> bool:
        """Whether one of its names fits one of `wanted` (lower case). RFC 6125 §6.4.3: ``*`` stands for
        the leftmost label, and nothing but all of it.
        """
        for name in self.names:
            for host in wanted:
                if name == host:
                    return True
                if name.startswith("*.") and host.partition(".")[2] == name[2:] and "." in name[2:]:
                    return True
        return False

    def allows_names(self, names: Sequence[str]) -> bool:
        """Whether its name constraints, if any, allow such DNS names (RFC 5280 §4.2.1.10)."""
        constraints = self._extension(x509.NameConstraints)
        if constraints is None:
            return True
        permitted = _dns(constraints.permitted_subtrees)
        excluded = _dns(constraints.excluded_subtrees)
        return all(
            (not permitted or any(_within(name, tree) for tree in permitted))
            and not any(_within(name, tree) for tree in excluded)
            for name in names
        )

    def _extension(self, kind: type[_Kind]) -> _Kind | None:
        try:
            return self._extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None


def _dns(trees: Sequence[x509.GeneralName] | None) -> list[str]:
    return [
        tree.value.lower().lstrip(".") for tree in trees or () if isinstance(tree, x509.DNSName)
    ]


def _within(name: str, tree: str) -> bool:
    return not tree or name == tree or name.endswith(f".{tree}")


def _key_octets(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo as it stands there: a library that writes a key anew may write it in
    another form than the one that was hashed.
    """
    _, start, _ = _item(der, 0)  # Certificate
    _, start, _ = _item(der, start)  # TBSCertificate
    tag, _, end = _item(der, start)
    if tag == _VERSION_TAG:
        start = end
    for _ in range(5):  # serialNumber, signature, issuer, validity, subject
        _, _, start = _item(der, start)
    tag, _, end = _item(der, start)
    if tag != _SEQUENCE:
        raise ValueError("no public key where one should be")
    return der[start:end]


def _item(der: bytes, at: int) -> tuple[int, int, int]:
    """Return tag, start and end of the contents of the DER item at `at`."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[start : start + count], "big")
        start += count
    if start + length > len(der):
        raise ValueError("an item that is longer than the certificate")
    return tag, start, start + length
