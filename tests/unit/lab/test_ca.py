"""The lab's certificates, judged by OpenSSL in handshakes."""

import ssl
import stat
from pathlib import Path

import pytest

from postroad.lab.ca import Authority, Leaf


def handshake(client: ssl.SSLContext, leaf: Leaf, name: str) -> str:
    """Do a TLS handshake in memory; return the version."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(leaf.certificate, leaf.key)
    wires = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server.wrap_bio(wires[0], wires[1], server_side=True),
        client.wrap_bio(wires[1], wires[0], server_hostname=name),
    ]
    for _ in range(5):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[1].version() or ""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.mark.parametrize("name", ["mx1.shop.test", "shop.test", "127.0.0.3", "::1"])
def test_host_names_and_addresses_are_valid(authority: Authority, name: str) -> None:
    leaf = authority.issue("mx1.shop.test", "shop.test", "127.0.0.3", "::1")

    assert handshake(authority.trust(), leaf, name) == "TLSv1.3"


def test_another_name_is_refused(authority: Authority) -> None:
    leaf = authority.issue("mx1.shop.test")

    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(authority.trust(), leaf, "mx2.shop.test")


def test_wildcards(authority: Authority) -> None:
    leaf = authority.issue("*.shop.test")

    assert handshake(authority.trust(), leaf, "any.shop.test")


def test_an_expired_certificate_is_refused(authority: Authority) -> None:
    leaf = authority.issue("mx1.shop.test", days=1, starts_days_ago=3)

    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        handshake(authority.trust(), leaf, "mx1.shop.test")


def test_another_authority_is_not_believed(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "ca")
    leaf = authority.issue("mx1.shop.test")

    with pytest.raises(ssl.SSLCertVerificationError, match="local issuer"):
        handshake(stranger.trust(), leaf, "mx1.shop.test")


def test_strict_verification_is_content(authority: Authority) -> None:
    context = authority.trust()
    context.verify_flags |= ssl.VERIFY_X509_STRICT

    assert handshake(context, authority.issue("mx1.shop.test"), "mx1.shop.test")


def test_the_chain_is_in_the_file_and_the_key_is_private(authority: Authority) -> None:
    leaf = authority.issue("mx1.shop.test")

    assert leaf.certificate.read_text().count("BEGIN CERTIFICATE") == 2
    assert stat.S_IMODE(leaf.key.stat().st_mode) == 0o600
