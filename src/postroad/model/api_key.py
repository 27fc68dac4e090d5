"""A key of the HTTP API: what a program shows instead of a password."""

from enum import Enum

from msgspec import Struct


class ApiScope(Enum):
    """What a key is good for. None includes another."""

    SEND = "send"  # hand messages in
    READ = "read"  # messages, their journeys, what the API lists
    MANAGE = "manage"  # cancel, retry, hold, release, reschedule
    SETTINGS = "settings"  # webhooks, templates, suppressions and the like


class ApiKey(Struct, frozen=True):
    """A key; `digest` is the SHA-256 of the whole token, which is random and long, so nothing slower
    is needed. `name` is the operator's word for it, unique. `domains` (lower-case A-labels) are those
    that it sends for and sees mail of; none stands for all domains of this server. `created_at` is in
    seconds since 1970.
    """

    id: int
    name: str
    scopes: tuple[ApiScope, ...]
    domains: tuple[str, ...]
    digest: bytes
    created_at: float
