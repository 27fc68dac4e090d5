"""The account's key and the thread; orders are tested against Pebble in tests/interop."""

import asyncio
import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from postroad.network.acme import authority
from postroad.network.acme.authority import AcmeAuthority, AcmeMissing, AcmeSettings
from postroad.network.acme.http01 import ChallengeDirectory, HttpProof
from postroad.ports.authority import IssueFailed
from postroad.runtime.certificate import make_key


def make(tmp_path: Path, url: str = "https://127.0.0.1:1/dir") -> AcmeAuthority:
    settings = AcmeSettings(url, tmp_path / "acme" / "account.pem")
    return AcmeAuthority(settings, HttpProof(ChallengeDirectory(tmp_path / "challenges")))


async def test_the_key_of_the_account_is_made_once_and_kept_secret(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(IssueFailed, match="127"):
            await make(tmp_path).issue(["here.test"], make_key())
    path = tmp_path / "acme" / "account.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.read_bytes()
    with pytest.raises(IssueFailed):
        await make(tmp_path).issue(["here.test"], make_key())
    assert path.read_bytes() == first


RSA = rsa.generate_private_key(65537, 2048).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
LOCKED = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.BestAvailableEncryption(b"secret"),
)


@pytest.mark.parametrize("text", [b"", b"nonsense", make_key()[:60], RSA, LOCKED])
async def test_a_key_that_is_none(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "acme" / "account.pem"
    path.parent.mkdir()
    path.write_bytes(text)
    with pytest.raises(IssueFailed, match=f"^the account's key {path} is damaged ") as caught:
        await make(tmp_path).issue(["here.test"], make_key())
    assert "authority" not in str(caught.value)
    assert path.read_bytes() == text


async def test_a_key_that_cannot_be_read_or_kept(tmp_path: Path) -> None:
    path = tmp_path / "acme" / "account.pem"
    path.mkdir(parents=True)
    with pytest.raises(IssueFailed, match=f"{path} cannot be read: Is a directory"):
        await make(tmp_path).issue(["here.test"], make_key())
    path.rmdir()
    path.parent.rmdir()
    path.parent.write_text("in the way")
    with pytest.raises(IssueFailed, match=f"{path} cannot be"):
        await make(tmp_path).issue(["here.test"], make_key())


async def test_what_was_left_half_written_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "acme" / "account.pem"
    path.parent.mkdir()
    path.with_suffix(".new").write_text("-----BEGIN")
    with pytest.raises(IssueFailed, match="127"):
        await make(tmp_path).issue(["here.test"], make_key())
    assert path.read_text().endswith("-----END PRIVATE KEY-----\n")
    assert [each.name for each in path.parent.iterdir()] == ["account.pem"]


async def test_who_gives_up_does_not_wait_for_the_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(self: AcmeAuthority, csr: bytes) -> bytes:
        begun.set()
        go_on.wait(10)
        return b""

    monkeypatch.setattr(AcmeAuthority, "_issue", slow)
    task = asyncio.ensure_future(make(tmp_path).issue(["here.test"], make_key()))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)
    go_on.set()


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "find_spec", lambda name: None)
    with pytest.raises(AcmeMissing, match=r"pip install 'postroad\[acme\]'"):
        authority.ensure_installed()
