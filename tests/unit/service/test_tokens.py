"""Tokens made by PyJWT with all kinds of keys, and what is no good about others."""

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from postroad.service.tokens import JwtVerifier, TokenKeyInvalid, TokenSettings
from tests.unit.service.fakes import FakeClock

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
CLAIMS: dict[str, Any] = {
    "iss": "https://id.example",
    "aud": ["mail", "files"],
    "exp": 2000,
    "nbf": 900,
    "email": "bob@x.test",
    "scope": "openid mail",
}


def pem(key: Any) -> bytes:
    public: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public


def verifier(*keys: Any, **settings: Any) -> JwtVerifier:
    chosen = TokenSettings(issuer="https://id.example", audience="mail", **settings)
    return JwtVerifier([pem(key) for key in keys or (RSA,)], chosen, FakeClock())


def token(key: Any = RSA, algorithm: str = "RS256", **claims: Any) -> str:
    chosen = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return jwt.encode(chosen, key, algorithm=algorithm)


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS512"), (EC, "ES256"), (ED, "EdDSA")]
)
async def test_good_tokens(key: Any, algorithm: str) -> None:
    assert await verifier(RSA, EC, ED).user(token(key, algorithm)) == "bob@x.test"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "files"},
        {"aud": None},
        {"exp": 939},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 1061},
        {"email": None},
        {"email": ""},
        {"email": ["bob@x.test"]},
        {"email_verified": False},
        {"scope": "openid"},
        {"scope": None},
        {"scope": {"mail": 1}},
    ],
)
async def test_bad_claims(claims: dict[str, Any]) -> None:
    assert await verifier(scope="mail").user(token(**claims)) is None


async def test_times_have_leeway() -> None:
    assert await verifier().user(token(exp=941, nbf=1059)) == "bob@x.test"


async def test_scopes_may_be_a_list() -> None:
    assert await verifier(scope="mail").user(token(scope=None, scp=["mail"])) == "bob@x.test"


async def test_another_claim() -> None:
    assert await verifier(username_claim="sub").user(token(sub="eve@x.test")) == "eve@x.test"


async def test_somebody_elses_signature() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert await verifier().user(token(other)) is None


async def test_a_public_key_is_no_password() -> None:
    """The old confusion: HMAC with the public key, which everybody has, and no signature at all."""
    nothing: Any = None
    forged = jwt.encode(CLAIMS, "x" * 64, algorithm="HS256")
    head, body, _ = forged.split(".")
    assert await verifier().user(forged) is None
    assert await verifier().user(jwt.encode(CLAIMS, nothing, algorithm="none")) is None
    assert await verifier().user(f"{head}.{body}.") is None


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é", "." * 10_000])
async def test_what_is_no_token(text: str) -> None:
    assert await verifier().user(text) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        pem(ec.generate_private_key(ec.SECP256K1())),
        pem(dsa.generate_private_key(1024)),
    ],
)
def test_keys_that_are_no_use(data: bytes) -> None:
    with pytest.raises(TokenKeyInvalid):
        JwtVerifier([data], TokenSettings(issuer="i", audience="a"), FakeClock())
