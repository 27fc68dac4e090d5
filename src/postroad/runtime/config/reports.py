"""Settings of the reports that we send to other domains."""

from pydantic import Field, field_validator

from postroad.model import Address, InvalidAddress
from postroad.runtime.config.values import Seconds, Section


class _Reports(Section):
    """What both kinds have."""

    contact: str = Field(
        default="",
        description="The address that reports come from, at a domain of ours; somebody should read what "
        "is answered. Left empty, nothing is counted and no report is sent.",
    )
    organization: str = Field(
        default="", description="Our name in reports; left empty, `server.hostname`."
    )

    @field_validator("contact")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            return str(Address.parse(value)) if value else ""
        except InvalidAddress as error:
            raise ValueError(f"{value!r} is not an address: {error}") from None


class TlsReportsSection(_Reports):
    """Reports about how links to other domains were secured, to those that ask for them (RFC 8460)."""

    https_seconds: Seconds = Field(
        default=60.0,
        ge=1,
        le=600,
        description="How long bringing one report by HTTPS may take altogether; it is tried again "
        "hourly, for three days.",
    )


class DmarcReportsSection(_Reports):
    """Reports about mail that came in other domains' names, to those that ask for them (RFC 9990). They
    need `trust.verify`.
    """
