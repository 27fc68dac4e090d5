"""Settings of the junk filter that each account teaches."""

from pydantic import Field

from postroad.mailbox.junk import JunkSettings
from postroad.runtime.config.values import Section

_DEFAULT = JunkSettings()


class JunkSection(Section):
    """What accounts learn from the mail that their owners move into Junk and out of it."""

    learn: bool = Field(
        default=True,
        description="Learn from mail that moves, and put into Junk what an account has learned is junk.",
    )
    threshold: float = Field(
        default=_DEFAULT.threshold,
        ge=0.5,
        le=1,
        description="The score, from 0 to 1, from which on a message goes into Junk.",
    )
    min_messages: int = Field(
        default=_DEFAULT.min_messages,
        ge=1,
        le=100_000,
        description="How many messages of each kind, junk and not, an account must have learned before "
        "its mail is judged.",
    )
    max_message_tokens: int = Field(
        default=_DEFAULT.message_tokens,
        ge=50,
        le=100_000,
        description="Words of one message that are looked at; what comes later is left out.",
    )
    max_tokens: int = Field(
        default=_DEFAULT.max_tokens,
        ge=1_000,
        le=10_000_000,
        description="Words that are kept for one account; the longest not taught go first.",
    )
    max_lessons: int = Field(
        default=_DEFAULT.max_lessons,
        ge=100,
        le=10_000_000,
        description="Messages of one account that can be taken back when they are moved back.",
    )
