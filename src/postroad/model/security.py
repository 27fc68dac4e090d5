"""How a link to the next server is to be secured, and what came of it."""

from enum import Enum

from msgspec import Struct


class LinkPolicy(Enum):
    """The rule that the link of an attempt was under, the weakest first."""

    NONE = "none"  # never encrypted
    OPPORTUNISTIC = "opportunistic"  # encrypted if offered (RFC 7435)
    STS_TESTING = "mta-sts testing"  # as opportunistic, failures are reported (RFC 8461)
    ENCRYPTED = "encrypted"  # required, by the settings or by TLSA records none of which is usable
    VERIFIED = "verified"  # required with a certificate that fits, by the settings
    STS_ENFORCE = "mta-sts enforce"  # required with a certificate that fits (RFC 8461)
    DANE = "dane"  # required with a certificate that fits the TLSA records (RFC 7672)


class StsMode(Enum):
    """What an MTA-STS policy asks of senders (RFC 8461 §5)."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


class StsPolicy(Struct, frozen=True):
    """The MTA-STS policy of `domain` (RFC 8461 §3.2), as it is kept.

    `id` is that of the DNS record it was fetched for; `mx` are host name patterns in lower case;
    `max_age` is in seconds, `fetched_at` in seconds since 1970.
    """

    domain: str
    id: str
    mode: StsMode
    mx: tuple[str, ...]
    max_age: int
    fetched_at: float

    @property
    def expires_at(self) -> float:
        """When it no longer binds, in seconds since 1970."""
        return self.fetched_at + self.max_age

    @property
    def lines(self) -> tuple[str, ...]:
        """The policy as its file has it, and as TLS reports quote it."""
        return (
            "version: STSv1",
            f"mode: {self.mode.value}",
            *(f"mx: {pattern}" for pattern in self.mx),
            f"max_age: {self.max_age}",
        )


class PolicyType(Enum):
    """Which kind of policy a session was under, as TLS reports call it (RFC 8460 §4.4)."""

    TLSA = "tlsa"
    STS = "sts"
    NONE = "no-policy-found"


class TlsFailure(Enum):
    """Why a link could not be secured as its policy asks, as TLS reports call it (RFC 8460 §4.3)."""

    STARTTLS_NOT_SUPPORTED = "starttls-not-supported"
    HOST_MISMATCH = "certificate-host-mismatch"
    EXPIRED = "certificate-expired"
    NOT_TRUSTED = "certificate-not-trusted"
    VALIDATION = "validation-failure"
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    DANE_REQUIRED = "dane-required"
    STS_FETCH = "sts-policy-fetch-error"
    STS_INVALID = "sts-policy-invalid"
    STS_WEBPKI = "sts-webpki-invalid"


class TlsResult(Struct, frozen=True, omit_defaults=True):
    """How one link, or one try at it, fared under one policy of `domain`: what TLS reports count.

    `policy` quotes the policy's lines or TLSA records; `failure` is None for success. `source` and
    `address` are the IP addresses of both ends, `host` is the MX host; `reason` tells more in words.
    """

    domain: str
    kind: PolicyType
    policy: tuple[str, ...] = ()
    failure: TlsFailure | None = None
    source: str = ""
    host: str = ""
    address: str = ""
    reason: str = ""
