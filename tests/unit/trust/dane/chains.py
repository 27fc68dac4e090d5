"""Certificates for tests of DANE: authorities and leaves with whatever is wrong with them."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = 1_790_000_000.0
_DAY = timedelta(days=1)


class Signed:
    """A certificate with its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.x509 = certificate
        self.key = key

    @property
    def der(self) -> bytes:
        return self.x509.public_bytes(Encoding.DER)

    @property
    def spki(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certificate(
    name: str,
    issuer: Signed | None = None,
    *,
    names: tuple[str, ...] = (),
    ca: bool = False,
    path_length: int | None = None,
    begins: float = NOW - 86_400,
    days: int = 30,
    usages: tuple[x509.ObjectIdentifier, ...] = (),
    signs: bool = True,
    permitted: tuple[str, ...] = (),
    critical: bool = False,
) -> Signed:
    key = ec.generate_private_key(ec.SECP256R1())
    begin = datetime.fromtimestamp(begins, UTC)
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(issuer.x509.subject if issuer else called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + days * _DAY)
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(True, path_length), critical=True)
        builder = builder.add_extension(
            x509.KeyUsage(not signs, False, False, False, False, signs, False, False, False),
            critical=True,
        )
    if names:
        dns = [x509.DNSName(each) for each in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(dns), critical=False)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if permitted:
        trees = [x509.DNSName(each) for each in permitted]
        builder = builder.add_extension(x509.NameConstraints(trees, None), critical=True)
    if critical:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        builder = builder.add_extension(unknown, critical=True)
    signer = issuer.key if issuer else key
    return Signed(builder.sign(signer, hashes.SHA256()), key)


CLIENT_ONLY = (ExtendedKeyUsageOID.CLIENT_AUTH,)
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
