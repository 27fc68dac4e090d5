"""The dashboard: figures over time, and how the server stands this moment; and the streams."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from postroad.model import DEFAULT_STREAM
from postroad.service.figures import Chart, Window
from postroad.web.console.asked import Asked, common, operator_of
from postroad.web.console.desk import BASE, ConsoleDesk, StreamShown


class Me(Struct, frozen=True):
    """Who is logged in."""

    operator: str


class StreamList(Struct, frozen=True):
    """The streams of the configuration, the default last."""

    streams: list[StreamShown]


def routes(desk: ConsoleDesk) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""

    @get(f"{BASE}/me", **common())
    async def me(request: Asked) -> Me:
        """Who asks."""
        return Me(operator_of(request))

    @get(f"{BASE}/figures", **common())
    async def figures(
        window: Annotated[Window, QueryParameter()] = Window.DAY,
    ) -> Chart:
        """Figures of a window of time that ends now."""
        return await desk.figures.chart(window)

    @get(f"{BASE}/overview", **common())
    async def overview() -> Response[bytes]:
        """What ``postroad top`` shows."""
        told: Any = await desk.overview()
        return Response(msgspec.json.encode(told), media_type="application/json")

    @get(f"{BASE}/streams", **common())
    async def streams() -> StreamList:
        """Streams with the settings of their own."""
        return StreamList([*desk.streams, StreamShown(DEFAULT_STREAM, "", False, {})])

    return [me, figures, overview, streams]
