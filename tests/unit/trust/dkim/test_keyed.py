"""Signing with keys that are known by number."""

import pytest

from postroad.model import StoredKey
from postroad.trust.dkim import InvalidKey, sign
from postroad.trust.dkim.keyed import KeyedSigners, UnknownKeys
from tests.unit.trust.zone import NOW, ed25519_key, rsa_key

KEYS = (ed25519_key(), rsa_key())
STORED = tuple(StoredKey(k.domain, k.selector, k.algorithm.value, k.pem(), 0.0) for k in KEYS)
HEAD, BODY = b"From: jo@example.test\r\nX: y\r\n\r\n", b"hello\r\n"


def test_each_set_signs_with_its_own_keys() -> None:
    signers = KeyedSigners()
    signers.add(1, STORED)
    signers.add(2, STORED[1:])
    assert signers.sign(1, NOW, HEAD, BODY, hashed=False) == sign(HEAD + BODY, KEYS, NOW)
    assert signers.sign(2, NOW, HEAD, BODY, hashed=False) == sign(HEAD + BODY, KEYS[1:], NOW)
    assert signers.sign_digest(2, bytes(32)) == KEYS[1].sign(bytes(32))
    assert (len(signers), 1 in signers, 3 in signers) == (2, True, False)


def test_a_number_that_nobody_gave() -> None:
    signers = KeyedSigners()
    with pytest.raises(UnknownKeys):
        signers.sign(1, NOW, HEAD, BODY, hashed=False)
    signers.add(1, STORED)
    signers.forget()
    with pytest.raises(UnknownKeys):
        signers.sign_digest(1, bytes(32))


def test_a_key_that_is_none() -> None:
    with pytest.raises(InvalidKey):
        KeyedSigners().add(1, [StoredKey("a.test", "s", "rsa-sha256", "no PEM", 0.0)])
