"""Signing in the server's own process."""

import pytest

from postroad.model import KeySet, StoredKey
from postroad.ports import SigningFailed
from postroad.service import signatory
from postroad.service.signatory import SignsHere
from postroad.trust.dkim import sign
from tests.unit.trust.zone import NOW, ed25519_key

KEY = ed25519_key()
STORED = StoredKey(KEY.domain, KEY.selector, KEY.algorithm.value, KEY.pem(), 0.0)
HEAD, BODY = b"From: jo@example.test\r\n\r\n", b"hello\r\n"


async def test_it_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatory, "MAX_KEY_SETS", 2)
    here = SignsHere()
    for number in range(5):
        keys = KeySet(number, (STORED,), "")
        assert await here.sign(keys, NOW, HEAD, BODY) == sign(HEAD + BODY, [KEY], NOW)
        assert await here.sign_digest(keys, bytes(32)) == KEY.sign(bytes(32))


async def test_a_key_that_is_none() -> None:
    keys = KeySet(1, (StoredKey("a.test", "s", "rsa-sha256", "no PEM", 0.0),), "")
    with pytest.raises(SigningFailed):
        await SignsHere().sign(keys, NOW, HEAD, BODY)
    with pytest.raises(SigningFailed):
        await SignsHere().sign_digest(keys, bytes(32))
