"""Small bodies in JSON, of people who may not be logged in yet: bounded before they are read whole."""

from typing import Any, TypeVar

import msgspec
from litestar import Request

from postroad.web.problem import Problem

MAX_OCTETS = 64 * 1024

T = TypeVar("T")


async def small_body(request: Request[Any, Any, Any]) -> bytes:
    """Return a body. Raises `Problem` (413) beyond `MAX_OCTETS`."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_OCTETS:
            raise Problem(413, "too-large", f"the body is larger than {MAX_OCTETS} octets")
        pieces.append(piece)
    return b"".join(pieces)


async def decoded(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """Return a body in JSON. Raises `Problem` (413) and `msgspec.DecodeError` (400)."""
    return msgspec.json.decode(await small_body(request), type=kind)
