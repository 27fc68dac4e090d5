"""Completes the description of the API for routes that read their bodies themselves, for speed: what
goes in (``opt["body"]``, a type; ``opt["raw"]``, a media type), what comes out (``opt["answer"]``).
"""

from typing import Any

import msgspec
from litestar import Litestar
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Reference, RequestBody, Schema
from litestar.routes import HTTPRoute

from postroad.web.problem import MEDIA_TYPE, ProblemDetails

_REFERENCE = "#/components/schemas/{name}"
_JSON = "application/json"


def describe(app: Litestar) -> None:
    """Change the description of an application in place."""
    described = app.openapi_schema
    components: dict[str, Any] = {}

    def schema_of(kind: Any) -> Any:
        (schema,), found = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
        components.update(found)
        return schema

    problem = OpenAPIResponse(
        description="A problem (RFC 9457)",
        content={MEDIA_TYPE: OpenAPIMediaType(schema=schema_of(ProblemDetails))},
    )
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        item = (described.paths or {}).get(route.path_format)
        for handler in route.route_handlers:
            for method in handler.http_methods:
                operation: Any = getattr(item, method.lower(), None)
                if operation is None or not route.path.startswith("/api/"):
                    continue
                opt = handler.opt
                if "body" in opt:
                    operation.request_body = _body(_JSON, schema_of(opt["body"]))
                if "raw" in opt:
                    operation.request_body = _body(opt["raw"], {"type": "string"})
                if "answer" in opt:
                    status = str(handler.status_code)
                    operation.responses[status] = OpenAPIResponse(
                        description=handler.summary or "",
                        content={_JSON: OpenAPIMediaType(schema=schema_of(opt["answer"]))},
                    )
                for status in [each for each in operation.responses if each[0] in "45"]:
                    del operation.responses[status]
                operation.responses["4XX"] = operation.responses["5XX"] = problem
    known = described.components.schemas
    for name, schema in components.items():
        known.setdefault(name, schema)


def _body(media_type: str, schema: Any) -> RequestBody:
    found: Schema | Reference = schema
    return RequestBody(content={media_type: OpenAPIMediaType(schema=found)}, required=True)
