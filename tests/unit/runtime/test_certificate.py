"""What certificates say, and how they are written."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from postroad.lab.ca import Authority
from postroad.runtime.certificate import (
    fits,
    is_self_signed,
    key_in,
    make_key,
    make_self_signed,
    read_facts,
    write_self_signed,
    write_together,
)


def test_facts(tmp_path: Path) -> None:
    leaf = Authority(tmp_path).issue("mail.here.test", "192.0.2.1", days=30)
    facts = read_facts(leaf.certificate.read_bytes())
    assert facts.names == ("mail.here.test", "192.0.2.1")
    assert not facts.self_signed
    assert not is_self_signed(leaf.certificate)
    assert facts.ends - facts.begins == 30 * 86400
    assert facts.renew_at == facts.begins + 20 * 86400
    began = datetime.now(UTC) - timedelta(days=1)
    assert abs(facts.begins - began.timestamp()) < 60
    kind, _, digest = facts.tlsa.rpartition(" ")
    assert kind == "3 1 1"
    assert len(bytes.fromhex(digest)) == 32


def test_a_file_that_is_none() -> None:
    with pytest.raises(ValueError, match="PEM"):
        read_facts(b"nonsense")


def test_key_and_certificate_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "both.pem"
    key, chain = make_self_signed(("mail.here.test",))
    write_together(path, key, chain)
    both = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key_in(both) == key
    assert read_facts(both).self_signed
    assert fits(both, key)
    assert not fits(both, make_key())
    assert [each.name for each in tmp_path.iterdir()] == ["both.pem"]


def test_keys_that_are_no_use() -> None:
    assert key_in(b"nonsense") is None


def test_two_files(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    write_self_signed(certificate, key, ("mail.here.test",))
    assert is_self_signed(certificate)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
