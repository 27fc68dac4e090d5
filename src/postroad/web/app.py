"""Joins all routes into one ASGI application."""

from importlib.metadata import version

from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from postroad.web.console.door import Door
from postroad.web.console.operators import operators
from postroad.web.description import describe
from postroad.web.explore import BASE
from postroad.web.front import App, Front
from postroad.web.links import ByHost
from postroad.web.problem import answer
from postroad.web.routes import ROUTES
from postroad.web.services import Services


def make_app(services: Services) -> App:
    """Return the application, with its description at ``/api/v1/openapi.json`` and a page to try it at
    ``/api/v1``.
    """
    app = Litestar(
        [handler for routes in ROUTES for handler in routes(services)],
        openapi_config=OpenAPIConfig(
            title="Postroad",
            version=version("postroad"),
            path=f"{BASE}/description",  # Litestar's own place for it, with HTML where it is not found
            render_plugins=[JsonRenderPlugin()],
            components=Components(
                security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}
            ),
        ),
        exception_handlers={Exception: answer},
        logging_config=None,
        request_max_body_size=None,  # the front counts
    )
    describe(app)
    inner: App = app  # type: ignore[assignment]
    if services.console is not None and services.signing_in is not None:
        inner = Door(inner, operators(services.signing_in.people))
    if services.landing is not None:
        inner = ByHost(inner, services.landing, services.settings.hostname)
    return Front(inner, services)
