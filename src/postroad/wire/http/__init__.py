"""HTTP/1.1 (RFC 9112), as far as fetching and serving one small file asks for."""

from postroad.wire.http.address import HttpsAddress, WebAddress, parse_https, parse_web
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
    "WebAddress",
    "get_request",
    "parse_https",
    "parse_web",
    "post_request",
    "write_response",
]
