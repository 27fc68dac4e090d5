"""Settings of mail that aliases lead to other places."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from postroad.model import InvalidAddress, parse_domain
from postroad.runtime.config.values import Section, Strings
from postroad.trust.srs import MIN_SECRET_OCTETS


class ForwardingSection(Section):
    """Mail from outside that an alias leads outside again."""

    rewrite_sender: bool = Field(
        default=True,
        description="Pass it on with a sender of ours (SRS), which SPF lets us use and which leads "
        "bounces back to the true sender. Else SPF fails at the next server.",
    )
    domain: str = Field(
        default="",
        description="The domain of such senders, which must be one of yours here (`postroad domain "
        "add`). Left empty: that of the alias. With one that has nothing in common with your others, "
        "nothing that is passed on can pass for theirs: forged authors of yours need not be refused.",
    )
    quarantined: Literal["refuse", "forward"] = Field(
        default="refuse",
        description="What becomes of mail that belongs into Junk (by DMARC, or a check): `refuse` "
        "keeps it here, where the alias leads to a mailbox here too, and else refuses it by "
        "550 5.7.1; `forward` passes it on.",
    )
    secret: str = Field(
        default="",
        description="What signs such senders, 16 characters at least; the same on all servers of a "
        "domain. Left empty, one is made and kept in `srs.key` in `server.data_dir`. A secret.",
    )
    old_secrets: Strings = Field(
        default=(), description="Secrets of before, whose bounces may still come. Secrets."
    )

    @field_validator("domain")
    @classmethod
    def _is_a_domain(cls, text: str) -> str:
        try:
            return parse_domain(text) if text else ""
        except InvalidAddress as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _long_enough(self) -> "ForwardingSection":
        for secret in filter(None, (self.secret, *self.old_secrets)):
            if len(secret.encode()) < MIN_SECRET_OCTETS:
                raise ValueError(f"a secret has fewer than {MIN_SECRET_OCTETS} characters")
        if self.old_secrets and not self.secret:
            raise ValueError("old_secrets are for when secret was changed; it is not set")
        return self
