"""The rooms of the console: the one list to add to."""

from collections.abc import Sequence

from litestar.types import ControllerRouterHandler

from postroad.web.console import (
    domains,
    health,
    journeys,
    overview,
    people,
    previews,
    queue,
    reports,
    tokens,
)
from postroad.web.services import Services


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes, none where there is nothing to show."""
    desk = services.console
    if desk is None:
        return []
    rooms = (overview, queue, journeys, domains, people, tokens, previews, reports, health)
    return [handler for room in rooms for handler in room.routes(desk)]
