"""A certificate for the time until there is a real one, and what can be said about one."""

import hashlib
import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

_LIFE_DAYS = 397  # what clients take for reasonable


def write_self_signed(certificate: Path, key: Path, names: tuple[str, ...]) -> None:
    """Write a key and a certificate signed by itself for `names` (host names or IP addresses).

    The key can be read by its owner only. Raises `OSError`.
    """
    pem, built = make_self_signed(names)
    _write(key, pem, 0o600)
    _write(certificate, built, 0o644)


def make_self_signed(names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """Return a new key and a certificate signed by itself, as PEM."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=_LIFE_DAYS))
        .add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem, built.public_bytes(serialization.Encoding.PEM)


class Facts(Struct, frozen=True):
    """What a certificate says. `begins` and `ends` are seconds since 1970. `tlsa` is the data of a TLSA
    record for its public key (DANE-EE, RFC 6698 §2.1): ``"3 1 1 …"``.
    """

    names: tuple[str, ...]
    issuer: str
    begins: float
    ends: float
    self_signed: bool
    tlsa: str

    @property
    def renew_at(self) -> float:
        """When two thirds of its life are over."""
        return self.begins + (self.ends - self.begins) * 2 / 3


def read_facts(pem: bytes) -> Facts:
    """Tell of the first certificate in `pem`. Raises `ValueError`."""
    loaded = x509.load_pem_x509_certificate(pem)
    try:
        extension = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = tuple(
            str(each.value)
            for each in extension.value
            if isinstance(each, x509.DNSName | x509.IPAddress)
        )
    except x509.ExtensionNotFound:
        names = ()
    public = loaded.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Facts(
        names=names,
        issuer=loaded.issuer.rfc4514_string(),
        begins=loaded.not_valid_before_utc.timestamp(),
        ends=loaded.not_valid_after_utc.timestamp(),
        self_signed=loaded.issuer == loaded.subject,
        tlsa=f"3 1 1 {hashlib.sha256(public).hexdigest()}",
    )


def is_self_signed(certificate: Path) -> bool:
    """Whether no authority vouches for the certificate. Raises `OSError`, `ValueError`."""
    return read_facts(certificate.read_bytes()).self_signed


def make_key() -> bytes:
    """Return a new private key (EC P-256) as PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def key_in(pem: bytes) -> bytes | None:
    """Return the EC private key in `pem`, None where there is none that can be used."""
    try:
        loaded = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        return None
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        return None
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def fits(chain: bytes, key: bytes) -> bool:
    """Whether the first certificate in `chain` is for `key`. Raises `ValueError`."""
    certificate = x509.load_pem_x509_certificate(chain)
    private = serialization.load_pem_private_key(key, None)
    return certificate.public_key() == private.public_key()


def write_together(path: Path, key: bytes, chain: bytes) -> None:
    """Replace `path` by key and chain, durably and at once; only its owner can read it.

    Raises `OSError`, and then what was there still is.
    """
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(key + chain)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _write(path: Path, data: bytes, mode: int) -> None:
    # The mode from the start: between write and chmod a key could be read.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
