"""Settings of what comes back: replies of other servers, bounces, complaints."""

from pydantic import Field, field_validator

from postroad.runtime.config.streams import Addresses
from postroad.runtime.config.values import Paths, Section


class BouncesSection(Section):
    """How the replies of other servers, and the bounces they send, are understood."""

    rules: Paths = Field(
        default=(),
        description="Files (TOML) of rules of your own for what replies mean, before ours: "
        "docs/howto/handle-bounces.md.",
    )
    valid_days: int = Field(
        default=30,
        ge=1,
        le=365,
        description="How long what comes back to a return path of ours (`streams.NAME.return_path`) is "
        "taken, in days.",
    )
    complaints: Addresses = Field(
        default=(),
        description="Addresses that providers send complaints to (feedback loops, ARF). They are for "
        "that alone: what is no complaint about mail under a return path of ours ends there.",
    )

    @field_validator("complaints")
    @classmethod
    def _whole(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if each.startswith("@"):
                raise ValueError(f"{each!r} is a whole domain; name an address")
        return value
