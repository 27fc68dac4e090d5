"""Settings of the HTTP API."""

import ipaddress
from collections.abc import Iterable

from pydantic import Field

from postroad.runtime.config.values import Endpoint, Octets, Seconds, Section, Switch

_MIB = 2**20


class HttpSection(Section):
    """The HTTP API, where `listen.http` or `listen.https` is set. Keys: `postroad api-key add`. How long
    a message may be and how many recipients it may have is said in `limits`.
    """

    plain_anywhere: Switch = Field(
        default=False,
        description="Let `listen.http` be at other addresses than loopback, where keys and mail pass in "
        "the clear. Only where something in front of us adds TLS.",
    )
    max_body_octets: Octets = Field(
        default=100 * _MIB,
        ge=1024,
        le=2**40,
        description="Size of a request's body; 413 beyond, before it is read. Attachments grow by a "
        "third in JSON.",
    )
    max_batch: int = Field(
        default=1000, ge=1, le=10_000, description="Messages in one batch; 400 beyond."
    )
    requests_per_second: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="Requests of one key, or of one client without a key, over time; 429 beyond. "
        "Each worker counts for itself.",
    )
    requests_at_once: int = Field(
        default=5000,
        ge=1,
        le=10_000_000,
        description="How many requests above that rate may come in a burst.",
    )
    request_seconds: Seconds = Field(
        default=60.0,
        ge=0.1,
        le=3600,
        description="How long a request may take to come in, per 10 MiB of it; then it is cut.",
    )
    idle_seconds: Seconds = Field(
        default=75.0,
        ge=0.1,
        le=3600,
        description="How long a connection may be silent between requests.",
    )
    idempotency_seconds: Seconds = Field(
        default=86_400.0,
        ge=60,
        le=31_557_600,
        description="How long an idempotency key is remembered.",
    )


def require_loopback(endpoints: Iterable[Endpoint]) -> None:
    """Raises `ValueError` where an address can be reached from other machines."""
    for endpoint in endpoints:
        if endpoint.host == "*" or not ipaddress.ip_address(endpoint.host).is_loopback:
            raise ValueError(
                f"listen.http: {endpoint} can be reached from other machines, and keys would pass in "
                "the clear: use listen.https, or set http.plain_anywhere"
            )
