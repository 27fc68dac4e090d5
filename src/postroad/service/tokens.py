"""Bearer tokens that are JSON Web Tokens (RFC 7519), signed by somebody whose keys we were given.

A token is good if one of the configured public keys verifies it, and issuer, audience and times are
right; then its claim names the user. Keys are public keys only: there is no algorithm by which who can
verify could also sign, so none can be confused with another. Tokens that are not JWTs are asked about at
the issuer: `service.introspection`.
"""

import math
from collections.abc import Mapping, Sequence

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Struct

from postroad.ports import Clock

MIN_RSA_BITS = 2048


class TokenKeyInvalid(ValueError):
    """A file holds no public key that tokens can be verified with; the message says why."""


class TokenSettings(Struct, frozen=True, kw_only=True):
    """Whose tokens are good. `username_claim` names the user's address; `scope` must be among the
    token's scopes, ``""`` for any; clocks may differ by `leeway_seconds`.
    """

    issuer: str
    audience: str
    username_claim: str = "email"
    scope: str = ""
    leeway_seconds: float = 60.0


PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class JwtVerifier:
    """See `ports.TokenVerifier`."""

    def __init__(self, keys: Sequence[bytes], settings: TokenSettings, clock: Clock) -> None:
        """`keys` are public keys in PEM. Raises `TokenKeyInvalid`."""
        self._keys = [_load(key) for key in keys]
        self._settings = settings
        self._clock = clock

    async def user(self, token: str) -> str | None:
        """Return the address that the token names, or None."""
        settings = self._settings
        for algorithms, key in self._keys:
            try:
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=algorithms,
                    issuer=settings.issuer,
                    audience=settings.audience,
                    options={
                        "require": ["exp", "iss", "aud"],
                        # by our own clock, below
                        "verify_exp": False,
                        "verify_nbf": False,
                        "verify_iat": False,
                    },
                )
            except (jwt.PyJWTError, ValueError, TypeError):
                continue
            return named_user(claims, settings, self._clock.now())
        return None


def named_user(
    claims: Mapping[str, object], settings: TokenSettings, now: float, *, must_expire: bool = True
) -> str | None:
    """Return the user that claims name at `now`, None where they are of another time or scope, or name
    nobody for certain.
    """
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if expires is None and not must_expire:
        expires = math.inf
    if not isinstance(expires, int | float) or not isinstance(begins, int | float):
        return None
    if now >= expires + settings.leeway_seconds or now < begins - settings.leeway_seconds:
        return None
    if settings.scope:
        scopes = claims.get("scope", claims.get("scp", ""))
        words = scopes.split() if isinstance(scopes, str) else scopes
        if not isinstance(words, list) or settings.scope not in words:
            return None
    # An address that the issuer has not verified may be anybody's.
    if settings.username_claim == "email" and claims.get("email_verified") is False:
        return None
    user = claims.get(settings.username_claim)
    return user if isinstance(user, str) and user else None


def _load(pem: bytes) -> tuple[list[str], PublicKey]:
    """Return the algorithms that fit a key, and the key. Raises `TokenKeyInvalid`."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError) as error:
        raise TokenKeyInvalid(f"it holds no public key in PEM: {error}") from None
    match key:
        case rsa.RSAPublicKey():
            if key.key_size < MIN_RSA_BITS:
                raise TokenKeyInvalid(f"an RSA key of {key.key_size} bits is too short")
            return ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], key
        case ec.EllipticCurvePublicKey():
            algorithm = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}.get(
                key.curve.name
            )
            if algorithm is None:
                raise TokenKeyInvalid(f"no token is signed on the curve {key.curve.name}")
            return [algorithm], key
        case ed25519.Ed25519PublicKey():
            return ["EdDSA"], key
    raise TokenKeyInvalid("it is neither RSA nor an elliptic curve")
