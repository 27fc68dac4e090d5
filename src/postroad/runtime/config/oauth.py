"""Logging in by tokens of an identity provider."""

from pydantic import Field, model_validator

from postroad.runtime.config.values import Paths, Seconds, Section
from postroad.wire.http import parse_https


class OauthSection(Section):
    """Logging in by access tokens (OAUTHBEARER, RFC 7628; XOAUTH2): JSON Web Tokens, judged here by the
    issuer's `keys`, or any tokens, about which the issuer is asked (RFC 7662).
    """

    issuer: str = Field(
        default="", description="Whose tokens are taken, as their `iss` says it; empty: nobody's."
    )
    audience: str = Field(default="", description="What `aud` must say: that the token is for us.")
    keys: Paths = Field(
        default=(),
        description="Files with the issuer's public keys (PEM): RSA, P-256, P-384, P-521, Ed25519.",
    )
    introspection_url: str = Field(
        default="",
        description="In place of `keys`: where the issuer is asked about each token, over HTTPS.",
    )
    client_id: str = Field(default="", description="Who we are to the issuer when we ask.")
    client_secret: str = Field(
        default="", repr=False, description="What proves that to the issuer. A secret."
    )
    introspection_seconds: Seconds = Field(
        default=10.0,
        ge=1,
        le=60,
        description="How long the issuer may take to answer; then the login is put off (454).",
    )
    introspection_cache_seconds: Seconds = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="How long an answer is good for; so long a token lives on that was taken back.",
    )
    introspection_max_cached: int = Field(
        default=10_000, ge=0, le=1_000_000, description="How many answers are kept."
    )
    introspection_max_questions: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="How many questions may wait for an answer; further logins are put off (454).",
    )
    username_claim: str = Field(
        default="email", min_length=1, description="The claim that holds the account's address."
    )
    scope: str = Field(default="", description="What `scope` must contain; empty: anything.")
    discovery_url: str = Field(
        default="",
        description="The issuer's `openid-configuration`, for programs whose token was no good.",
    )
    leeway_seconds: Seconds = Field(
        default=60.0, ge=0, le=600, description="By how much clocks may differ."
    )

    @model_validator(mode="after")
    def _complete(self) -> "OauthSection":
        asked = bool(self.introspection_url)
        if asked:
            parse_https(self.introspection_url)
            if not (self.client_id and self.client_secret):
                raise ValueError("introspection_url needs client_id and client_secret")
            if self.keys:
                raise ValueError("keys and introspection_url are both set; keep one")
            if not (self.issuer and (self.audience or self.scope)):
                raise ValueError(
                    "introspection_url needs issuer, and audience or scope: else tokens that were "
                    "given for anything would let their owners in here"
                )
        elif self.issuer and not (self.audience and self.keys):
            raise ValueError(
                "with an issuer, audience and keys (or introspection_url) are needed too"
            )
        elif self.client_id or self.client_secret:
            raise ValueError("client_id and client_secret are for introspection_url")
        return self
