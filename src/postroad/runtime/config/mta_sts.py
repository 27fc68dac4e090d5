"""Settings of the MTA-STS policy that we publish for our own domains."""

from pydantic import Field

from postroad.model import StsMode
from postroad.runtime.config.values import Seconds, Section, Strings

_DAY = 86_400.0


class MtaStsSection(Section):
    """The MTA-STS policy of our domains (RFC 8461): what others must insist on when they send to us.
    `postroad mta-sts` prints it with the records to publish; `listen.mta_sts` serves it.
    """

    mode: StsMode = Field(
        default=StsMode.TESTING,
        description="`testing` has failures reported only, `enforce` has mail wait rather than come by "
        "an unverified link, `none` takes a policy back.",
    )
    mx: Strings = Field(
        default=(),
        max_length=100,
        description="Our MX hosts, `*.example.org` for all of a domain; left empty, `server.hostname`.",
    )
    max_age_seconds: Seconds = Field(
        default=7 * _DAY,
        ge=3600,
        le=31_557_600,
        description="How long others may keep the policy, and cannot be talked out of it.",
    )
