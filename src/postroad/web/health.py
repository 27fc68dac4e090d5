"""``/livez``: the process is there and its event loop turns."""

from collections.abc import Sequence

from litestar import get
from litestar.types import ControllerRouterHandler

from postroad.web.services import Services


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""
    return [livez]


@get("/livez", sync_to_thread=False, media_type="text/plain", tags=["server"])
def livez() -> str:
    """Say that the server is alive."""
    return "ok\n"
