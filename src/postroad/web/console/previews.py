"""How a template looks, as a page of its own for a frame: its policy lets styles and pictures be, and
nothing run. Written into the console's page it would be under that page's policy, without its styles.
"""

from collections.abc import Sequence
from typing import Annotated

from litestar import Response, get
from litestar.params import FromPath, QueryParameter
from litestar.types import ControllerRouterHandler

from postroad.service.templates import NoTemplate
from postroad.web.console.asked import Asked, common, operator_of
from postroad.web.console.desk import BASE, ConsoleDesk
from postroad.web.problem import Problem

MAX_DATA = 16_000
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'; sandbox"
)


def routes(desk: ConsoleDesk) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""

    @get(f"{BASE}/previews/{{name:str}}", **common())
    async def preview(
        request: Asked,
        name: FromPath[str],
        version: Annotated[int | None, QueryParameter(ge=1, le=2**31)] = None,
        sample: Annotated[str | None, QueryParameter(max_length=MAX_DATA)] = None,
    ) -> Response[str]:
        """The HTML of a version with the data in `sample` (JSON), or its own."""
        try:
            made = await desk.templates.preview(name, version, sample, by=operator_of(request))
        except NoTemplate as error:
            raise Problem(404, "not-found", str(error)) from None
        headers = {"Content-Security-Policy": _POLICY}
        return Response(made.html, media_type="text/html", headers=headers)

    return [preview]
