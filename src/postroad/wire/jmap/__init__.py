"""JMAP without I/O (RFC 8620): requests, result references, arguments, patches and errors.

Import from here: ``from postroad.wire.jmap import parse_request``.
"""

from postroad.wire.jmap.arguments import Arguments
from postroad.wire.jmap.errors import MethodError, RequestError, SetError
from postroad.wire.jmap.patch import patched
from postroad.wire.jmap.references import resolve_references
from postroad.wire.jmap.request import Invocation, Limits, Request, parse_request

__all__ = [
    "Arguments",
    "Invocation",
    "Limits",
    "MethodError",
    "Request",
    "RequestError",
    "SetError",
    "parse_request",
    "patched",
    "resolve_references",
]
