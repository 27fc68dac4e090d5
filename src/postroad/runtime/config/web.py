"""Settings of logging in with a browser."""

from pydantic import Field

from postroad.runtime.config.values import Seconds, Section, Switch

_DAY = 86_400.0


class WebSection(Section):
    """Logging in with a browser, on `listen.http` and `listen.https` where these are set. Guessing is
    slowed down as `auth` says.
    """

    idle_seconds: Seconds = Field(
        default=14 * _DAY,
        ge=60,
        le=400 * _DAY,
        description="A session that was not used for so long is over.",
    )
    session_seconds: Seconds = Field(
        default=90 * _DAY,
        ge=60,
        le=400 * _DAY,
        description="So long after the login a session is over, used or not.",
    )
    max_sessions: int = Field(
        default=30,
        ge=1,
        le=1000,
        description="Sessions of one account; with one more, the one not used for longest is over.",
    )
    fresh_seconds: Seconds = Field(
        default=900.0,
        ge=30,
        le=_DAY,
        description="How long after a login, or after saying again who they are, people may change what "
        "they log in with.",
    )
    oauth: Switch = Field(
        default=True,
        description="Let mail programs ask people by OAuth 2.0 what they may do: tokens in place of "
        "passwords, for SMTP, POP3 and JMAP.",
    )
    access_seconds: Seconds = Field(
        default=3600.0, ge=60, le=_DAY, description="How long an access token is good."
    )
    refresh_seconds: Seconds = Field(
        default=60 * _DAY,
        ge=3600,
        le=400 * _DAY,
        description="What a program may do is over when it was not used for so long.",
    )
    code_seconds: Seconds = Field(
        default=60.0, ge=10, le=600, description="How long a program may take to fetch its tokens."
    )
