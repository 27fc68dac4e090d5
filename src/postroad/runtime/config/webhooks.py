"""Settings of webhooks."""

from pydantic import Field

from postroad.runtime.config.values import Seconds, Section

_DAY = 86_400.0


class WebhooksSection(Section):
    """What is told to others' web servers of mail: `postroad webhook add`."""

    allow_private: bool = Field(
        default=False,
        description="Whether webhooks may be at loopback, private and link-local addresses. Who may add "
        "webhooks reaches servers in this network then.",
    )
    at_once: int = Field(
        default=8, ge=1, le=100, description="How many posts one webhook gets at the same time."
    )
    max_waiting: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="How many posts are made in advance for one webhook; further events stay in the "
        "journey until these are taken.",
    )
    max_dead: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="How many posts that were given up are kept for each webhook, to be replayed.",
    )
    request_seconds: Seconds = Field(
        default=15.0, ge=0.1, le=300, description="How long one post may take altogether."
    )
    give_up_seconds: Seconds = Field(
        default=3 * _DAY,
        ge=1,
        le=30 * _DAY,
        description="How long a post is tried again, with growing pauses.",
    )
    poll_seconds: Seconds = Field(
        default=1.0,
        ge=0.05,
        le=60,
        description="How often the journey is looked at for new events.",
    )
    probe_seconds: Seconds = Field(
        default=60.0,
        ge=0.05,
        le=3600,
        description="How often a receiver is asked that took none of the last 20 posts.",
    )
