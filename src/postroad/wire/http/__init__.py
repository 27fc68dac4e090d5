"""HTTP/1.1 (RFC 9112), as far as fetching and serving one small file asks for."""

from postroad.wire.http.request import HttpRequest, RequestReader, get_request, write_response
from postroad.wire.http.response import HttpBroken, HttpResponse, ResponseReader

__all__ = [
    "HttpBroken",
    "HttpRequest",
    "HttpResponse",
    "RequestReader",
    "ResponseReader",
    "get_request",
    "write_response",
]
