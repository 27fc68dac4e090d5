"""What the HTTP server is told."""

from collections.abc import Mapping

from msgspec import Struct


class WebSettings(Struct, frozen=True):
    """See the section `http` of the configuration, by the same names; the last ones are of `limits`.

    `streams` are those that a message may be in, each with the domains whose mail it is for;
    `durability` is what receipts say.
    """

    hostname: str
    max_body_octets: int = 100 * 2**20
    max_batch: int = 1000
    requests_per_second: int = 1000
    requests_at_once: int = 5000
    request_seconds: float = 60.0
    idle_seconds: float = 75.0
    idempotency_seconds: float = 86_400.0
    max_recipients: int = 1000
    max_message_octets: int = 50 * 2**20
    max_ahead_seconds: float = 366 * 86_400.0
    streams: Mapping[str, frozenset[str]] = {}
    durability: str = "fsync"
    jmap_url: str = ""
    jmap_look_seconds: float = 0.5
