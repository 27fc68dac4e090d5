"""Settings of how is told how safe the way to a recipient is."""

from pydantic import Field

from postroad.runtime.config.values import Seconds, Section


class ReachSection(Section):
    """How safe the way to recipients is, told to people while they write (`/api/v1/me/reach`)."""

    max_recipients: int = Field(
        default=100, ge=1, le=1000, description="Recipients in one question; 400 beyond."
    )
    total_seconds: Seconds = Field(
        default=8.0,
        ge=0.1,
        le=60,
        description="How long an answer may take; of what is not found by then it says so.",
    )
    remember_seconds: Seconds = Field(
        default=300.0,
        ge=1,
        le=86_400,
        description="How long is remembered what was found of a domain.",
    )
    at_once: int = Field(
        default=16, ge=1, le=1000, description="How many domains are looked up at the same time."
    )
