"""A certificate authority for the lab: a root, an intermediate, and leaves for hosts and addresses.

Keys are EC P-256, made anew for each lab and kept in its directory. The chain has an intermediate
because real ones do: a server that forgets to send it is a mistake worth finding.
"""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

_DAY = timedelta(days=1)
_LIFE_DAYS = 30


class Leaf(Struct, frozen=True):
    """The files of a server: `certificate` is the leaf with its chain (without the root)."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates into `directory`; `root_file` is what clients trust (PEM)."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.root_file = directory / "ca.pem"
        root_key = ec.generate_private_key(ec.SECP256R1())
        self._key = ec.generate_private_key(ec.SECP256R1())
        root_name = _called("Postroad lab root")
        self._name = _called("Postroad lab intermediate")
        root = _authority(root_name, root_name, root_key, root_key, path_length=1)
        self._certificate = _authority(self._name, root_name, self._key, root_key, path_length=0)
        self._chain = _pem(self._certificate)
        self.root_file.write_bytes(_pem(root))
        self._issued = 0

    def issue(self, *names: str, days: int = _LIFE_DAYS, starts_days_ago: int = 1) -> Leaf:
        """Return a certificate for host names and IP addresses; the first is its subject.

        One that has run out: ``days=1, starts_days_ago=3``.
        """
        self._issued += 1
        stem = f"{self._issued:03d}-{names[0].replace(':', '_').replace('*', 'any')}"
        leaf = Leaf(self._directory / f"{stem}.pem", self._directory / f"{stem}.key")
        key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        leaf.certificate.write_bytes(
            self.sign(key, *names, days=days, starts_days_ago=starts_days_ago)
        )
        leaf.key.touch(mode=0o600)
        leaf.key.write_bytes(key)
        return leaf

    def sign(
        self, key: bytes, *names: str, days: int = _LIFE_DAYS, starts_days_ago: float = 1
    ) -> bytes:
        """Return a certificate with its chain (PEM) for a private key (PEM) of one's own."""
        private = serialization.load_pem_private_key(key, None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError("an EC key is wanted")
        begins = datetime.now(UTC) - starts_days_ago * _DAY
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_called(names[0][:64]))
            .issuer_name(self._name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + days * _DAY)
            .add_extension(x509.SubjectAlternativeName(list(map(_general, names))), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return _pem(certificate) + self._chain

    def trust(self) -> ssl.SSLContext:
        """Return a context for clients that believe this authority and no other."""
        return ssl.create_default_context(cafile=str(self.root_file))


def _authority(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    path_length: int,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 10 * _DAY)
        .not_valid_after(now + 10 * _LIFE_DAYS * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
