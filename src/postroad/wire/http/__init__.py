"""HTTP/1.1 (RFC 9112), as far as fetching and serving one small file asks for."""

from postroad.wire.http.address import HttpsAddress, parse_https
from postroad.wire.http.request import (
    HttpRequest,
    RequestReader,
    get_request,
    post_request,
    write_response,
)
from postroad.wire.http.response import HttpBroken, HttpResponse, ResponseReader

__all__ = [
    "HttpBroken",
    "HttpRequest",
    "HttpResponse",
    "HttpsAddress",
    "RequestReader",
    "ResponseReader",
    "get_request",
    "parse_https",
    "post_request",
    "write_response",
]
