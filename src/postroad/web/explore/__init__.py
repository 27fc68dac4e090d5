"""The description of the API (OpenAPI 3.1), and a page to read and try it that is made of it in the
browser. Nothing of it comes from elsewhere.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.types import ControllerRouterHandler

from postroad.web.services import Services

BASE = "/api/v1"

_FILES = files(__name__)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""
    return [_description, _page, _script, _style]


@get(f"{BASE}/openapi.json", include_in_schema=False, sync_to_thread=False)
def _description(request: Request[Any, Any, Any]) -> Response[bytes]:
    schema = msgspec.json.encode(request.app.openapi_schema.to_schema())
    return Response(schema, media_type="application/json")


@get(BASE, include_in_schema=False, sync_to_thread=False)
def _page() -> Response[bytes]:
    return _file("page.html", "text/html")


@get(f"{BASE}/explore.js", include_in_schema=False, sync_to_thread=False)
def _script() -> Response[bytes]:
    return _file("explore.js", "text/javascript")


@get(f"{BASE}/explore.css", include_in_schema=False, sync_to_thread=False)
def _style() -> Response[bytes]:
    return _file("explore.css", "text/css")


def _file(name: str, media_type: str) -> Response[bytes]:
    headers = {"Content-Security-Policy": _POLICY}
    return Response((_FILES / name).read_bytes(), media_type=media_type, headers=headers)
