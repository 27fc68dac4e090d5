"""Settings of JMAP."""

from pydantic import Field

from postroad.runtime.config.values import Octets, Seconds, Section, Switch

_MIB = 2**20


class JmapSection(Section):
    """Reading and writing mail by JMAP, on `listen.http` and `listen.https` where these are set."""

    enabled: Switch = Field(default=True, description="Answer at `/.well-known/jmap`.")
    url: str = Field(
        default="",
        pattern=r"^(https?://[!-~]+[^/])?$",
        description="Where clients find this server, such as `https://mail.example.org`. Unset, it is "
        "where they asked for it; set it behind a proxy that adds TLS.",
    )
    max_upload_octets: Octets = Field(
        default=50 * _MIB,
        ge=1024,
        le=2**40,
        description="Size of an upload; 413 beyond.",
    )
    max_request_octets: Octets = Field(
        default=10 * _MIB, ge=1024, le=2**32, description="Size of a request; refused beyond."
    )
    max_calls: int = Field(
        default=64, ge=16, le=1000, description="Method calls in a request; refused beyond."
    )
    max_objects: int = Field(
        default=1000,
        ge=500,
        le=100_000,
        description="Objects that one call gets or changes; refused beyond.",
    )
    max_at_once: int = Field(
        default=8,
        ge=4,
        le=1000,
        description="Requests, and uploads, of one account at the same time; refused beyond.",
    )
    max_mailboxes: int = Field(
        default=1000, ge=10, le=100_000, description="Mailboxes of one account; refused beyond."
    )
    keep_upload_seconds: Seconds = Field(
        default=86_400.0,
        ge=3600,
        le=31_557_600,
        description="How long an upload can be used in messages.",
    )
    keep_submissions: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="How many messages that an account sent by JMAP can be asked for.",
    )
    look_seconds: Seconds = Field(
        default=0.5,
        ge=0.05,
        le=60,
        description="How often is looked whether something changed for clients that listen to events.",
    )
