"""Logging in by tokens of an identity provider."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from postroad.runtime.config.values import Seconds, Section


def _to_paths(value: object) -> object:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    return tuple(Path(str(each)) for each in value) if isinstance(value, list | tuple) else value


Paths = Annotated[tuple[Path, ...], BeforeValidator(_to_paths)]


class OauthSection(Section):
    """Logging in by access tokens (OAUTHBEARER, RFC 7628; XOAUTH2) that are JSON Web Tokens."""

    issuer: str = Field(
        default="", description="Whose tokens are taken, as their `iss` says it; empty: nobody's."
    )
    audience: str = Field(default="", description="What `aud` must say: that the token is for us.")
    keys: Paths = Field(
        default=(),
        description="Files with the issuer's public keys (PEM): RSA, P-256, P-384, P-521, Ed25519.",
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
        if self.issuer and not (self.audience and self.keys):
            raise ValueError("with an issuer, audience and keys are needed too")
        return self
