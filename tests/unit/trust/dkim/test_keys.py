from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from postroad.trust.dkim import Algorithm, InvalidKey, generate, load, make_selector, zone_line
from postroad.trust.dkim.record import parse_key, verifies
from tests.unit.trust.zone import ed25519_key, rsa_key


@pytest.mark.parametrize("kind", Algorithm)
def test_a_key_as_text_and_back(kind: Algorithm) -> None:
    key = rsa_key() if kind is Algorithm.RSA_SHA256 else ed25519_key()
    again = load(key.domain, key.selector, key.pem())
    assert (again.algorithm, again.name) == (kind, key.name)
    assert again.record() == key.record()
    record = parse_key(key.record())
    digest = bytes(range(32))
    assert verifies(record, again.sign(digest), digest)
    assert not verifies(record, again.sign(digest), bytes(32))
    assert not verifies(record, b"", digest)
    assert not verifies(record, b"x" * 5000, digest)


def test_the_private_key_is_not_shown() -> None:
    assert rsa_key().pem() not in repr(rsa_key())


@pytest.mark.parametrize(
    ("domain", "selector"), [("", "s"), ("org", "s"), ("a b.c", "s"), ("a.b", ""), ("a.b", "x;y")]
)
def test_names_that_are_none(domain: str, selector: str) -> None:
    with pytest.raises(InvalidKey):
        generate(domain, selector, Algorithm.ED25519_SHA256)


def test_keys_that_are_none() -> None:
    other = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for pem in ("", "hello", other.decode(), rsa_key().pem()[:-60]):
        with pytest.raises(InvalidKey):
            load("a.b", "s", pem)


def test_selectors_say_when_and_which() -> None:
    day = date(2026, 11, 24)
    assert make_selector(day, Algorithm.RSA_SHA256) == "20261124r"
    assert make_selector(day, Algorithm.ED25519_SHA256) == "20261124e"


def test_zone_lines() -> None:
    assert zone_line("a.b", 'x"\\') == 'a.b. IN TXT "x\\"\\\\"'
    line = zone_line(rsa_key().name, rsa_key().record())
    strings = line.partition("( ")[2].removesuffix(" )").split('" "')
    assert all(len(each.strip('"')) <= 255 for each in strings)
    assert "".join(each.strip('"') for each in strings) == rsa_key().record()
