"""Reading a JMAP request (RFC 8620 §3.3): which capabilities it uses, and its method calls in order."""

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Struct

from postroad.wire.jmap.errors import RequestError

MAX_DEPTH = 64
"""How deep objects and arrays may lie in each other."""


class Limits(Struct, frozen=True):
    """What a server takes at once (RFC 8620 §2); sizes are in octets."""

    max_size_upload: int = 50_000_000
    max_concurrent_upload: int = 4
    max_size_request: int = 10_000_000
    max_concurrent_requests: int = 8
    max_calls_in_request: int = 64
    max_objects_in_get: int = 1_000
    max_objects_in_set: int = 1_000


class Invocation(Struct, frozen=True, array_like=True):
    """A method call, or the response to one (RFC 8620 §3.2)."""

    name: str
    arguments: dict[str, Any]
    call: str


class Request(Struct, frozen=True):
    """A request: `created` are ids that earlier requests gave to creation ids, None where the client
    does not want to hear of those.
    """

    using: tuple[str, ...]
    calls: tuple[Invocation, ...]
    created: dict[str, str] | None = None


class _Raw(Struct, rename="camel"):
    using: list[str]
    method_calls: list[tuple[str, dict[str, Any], str]]
    created_ids: dict[str, str] | None = None


_decode = msgspec.json.Decoder().decode


def parse_request(data: bytes, capabilities: Collection[str], limits: Limits) -> Request:
    """Read a request that may use those capabilities. Raises `RequestError` (RFC 8620 §3.6.1)."""
    if len(data) > limits.max_size_request:
        raise RequestError(
            "limit", f"a request has at most {limits.max_size_request} octets", "maxSizeRequest"
        )
    try:
        found = _decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise RequestError("notJSON", f"this is not JSON: {error}") from None
    if _too_deep(found):
        raise RequestError("notRequest", f"objects lie deeper than {MAX_DEPTH} in each other")
    try:
        raw = msgspec.convert(found, _Raw)
    except msgspec.ValidationError as error:
        raise RequestError("notRequest", f"this is no request: {error}") from None
    for name in raw.using:
        if name not in capabilities:
            raise RequestError("unknownCapability", f"{name[:80]!r} is not offered here")
    if len(raw.method_calls) > limits.max_calls_in_request:
        most = limits.max_calls_in_request
        raise RequestError("limit", f"a request has at most {most} calls", "maxCallsInRequest")
    calls = tuple(Invocation(*call) for call in raw.method_calls)
    return Request(tuple(raw.using), calls, raw.created_ids)


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
        if not below:
            return False
        level = below
    return True
