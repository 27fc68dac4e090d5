"""Settings of what accounts answer while their owners are away."""

from pydantic import Field

from postroad.runtime.config.values import Seconds, Section
from postroad.service.vacation import VacationSettings

_DEFAULT = VacationSettings()


class VacationSection(Section):
    """Answers by accounts whose owners are away, which these switch on by JMAP (VacationResponse)."""

    period_seconds: Seconds = Field(
        default=_DEFAULT.period_seconds,
        ge=3600,
        le=31_557_600,
        description="A sender is answered once in this time.",
    )
    max_answers: int = Field(
        default=_DEFAULT.max_answers,
        ge=1,
        le=1_000_000,
        description="How many senders an account answers in this time; more are not answered.",
    )
