"""The health of the server itself: certificate, disk, lists, ports, clock, queue."""

from collections.abc import Sequence

from litestar import get
from litestar.types import ControllerRouterHandler

from postroad.web.console.asked import common
from postroad.web.console.desk import BASE, ConsoleDesk
from postroad.web.console.domains import Findings, finding_shown


def routes(desk: ConsoleDesk) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""

    @get(f"{BASE}/health", **common())
    async def health() -> Findings:
        """Look at all of it."""
        return Findings([finding_shown(each) for each in await desk.health()])

    return [health]
