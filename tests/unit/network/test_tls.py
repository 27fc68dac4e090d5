from pathlib import Path

import pytest

from postroad.model import TlsPolicy
from postroad.network import ClientTls, ServerTls, TlsFilesInvalid
from tests.unit.network.certificates import Authority


def test_reload_takes_the_renewed_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = ServerTls(*authority.issue("mx.test"))
    before = tls.context
    authority.issue("mx.test")
    tls.reload()
    assert tls.context is not before


def test_reload_of_broken_files_keeps_the_old_one(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue("mx.test")
    tls = ServerTls(certificate, key)
    before = tls.context
    certificate.write_text("no certificate")
    with pytest.raises(TlsFilesInvalid, match=r"mx\.test\.crt"):
        tls.reload()
    assert tls.context is before


def test_key_of_another_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, _ = authority.issue("mx.test")
    _, key = authority.issue("other.test")
    with pytest.raises(TlsFilesInvalid, match=r"other\.test\.key"):
        ServerTls(certificate, key)


def test_missing_ca_file(tmp_path: Path) -> None:
    tls = ClientTls(tmp_path / "none.pem")
    assert tls.context(TlsPolicy.OPPORTUNISTIC) is tls.context(TlsPolicy.ENCRYPT)
    with pytest.raises(TlsFilesInvalid, match=r"none\.pem"):
        tls.context(TlsPolicy.VERIFY)
