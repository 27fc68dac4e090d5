"""TLS contexts for connections we open and for those we take.

TLS 1.2 and newer only (RFC 8996), no compression, no renegotiation (RFC 9325).
"""

import ssl
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import load_pem_x509_certificates

from postroad.model import TlsPolicy

# RFC 9325 §4.2: forward secrecy and AEAD. TLS 1.3 suites are all of that kind and set apart.
_SERVER_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!PSK"
_OPTIONS = ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


class TlsFilesInvalid(Exception):
    """Certificate and key cannot be used; the message names the files and says why."""


class ClientTls:
    """Contexts by policy. `ca_file` (PEM) stands in for the system's certificate authorities."""

    def __init__(self, ca_file: Path | None = None) -> None:
        self._ca_file = ca_file
        self._open: ssl.SSLContext | None = None
        self._verifying: ssl.SSLContext | None = None

    def context(self, policy: TlsPolicy) -> ssl.SSLContext:
        """Return the context for `policy`. Raises `TlsFilesInvalid` where the CA file is no use."""
        if policy in (TlsPolicy.VERIFY, TlsPolicy.IMPLICIT):
            if self._verifying is None:
                self._verifying = self._make_verifying()
            return self._verifying
        if self._open is None:
            self._open = _make_open()
        return self._open

    def _make_verifying(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(
                ssl.Purpose.SERVER_AUTH, cafile=str(self._ca_file) if self._ca_file else None
            )
        except (OSError, ssl.SSLError) as error:
            raise TlsFilesInvalid(f"CA certificates in {self._ca_file}: {error}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= _OPTIONS
        return context


def _make_open() -> ssl.SSLContext:
    """RFC 7435: any certificate is better than clear text, so none is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= _OPTIONS
    return context


class ServerTls:
    """The context for connections we take, from files that may be renewed while we run.

    `binding` is what binds a login to the certificate (tls-server-end-point, RFC 5929 §4.1), None for
    a certificate that has none. Raises `TlsFilesInvalid`.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        self.context = _make_server(certificate, key)
        self.binding = _end_point(certificate)

    def reload(self) -> None:
        """Read the files again; later handshakes use what they hold now.

        Raises `TlsFilesInvalid`, and then the earlier certificate stays in use.
        """
        self.context = _make_server(self._certificate, self._key)
        self.binding = _end_point(self._certificate)


def _make_server(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SERVER_CIPHERS)
    context.options |= _OPTIONS | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_SINGLE_ECDH_USE
    try:
        # An encrypted key must fail, not ask at the terminal of a daemon.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise TlsFilesInvalid(
            f"certificate {certificate} with key {key} cannot be used: {error}"
        ) from error
    return context


def _end_point(certificate: Path) -> bytes | None:
    """RFC 5929 §4.1: the certificate hashed as its signature was, MD5 and SHA-1 replaced by SHA-256."""
    try:
        first = load_pem_x509_certificates(certificate.read_bytes())[0]
        algorithm = first.signature_hash_algorithm
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise TlsFilesInvalid(f"certificate {certificate} cannot be read: {error}") from error
    if algorithm is None:  # Ed25519 hashes nothing by itself, and the RFC has no answer to that
        return None
    weak = isinstance(algorithm, hashes.MD5 | hashes.SHA1)
    return first.fingerprint(hashes.SHA256() if weak else algorithm)


def describe(connection: ssl.SSLObject | ssl.SSLSocket) -> str:
    """Return protocol version and cipher: ``"TLSv1.3 TLS_AES_256_GCM_SHA384"``."""
    cipher = connection.cipher()
    return f"{connection.version() or 'TLS'} {cipher[0] if cipher else 'unknown cipher'}"
