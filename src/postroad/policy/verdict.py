"""What a check decides."""

from typing import TypeAlias

from msgspec import Struct

from postroad.model import Reply


class Accept(Struct, frozen=True):
    """Go on."""


class Defer(Struct, frozen=True):
    """Not now: the client gets this 4xx reply."""

    reply: Reply


class Reject(Struct, frozen=True):
    """Never: the client gets this 5xx reply."""

    reply: Reply


Verdict: TypeAlias = Accept | Defer | Reject

ACCEPT = Accept()
