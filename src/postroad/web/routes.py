"""All that is served by HTTP: the one list to add a room's routes to.

An entry is a function from `Services` to Litestar handlers. What belongs to the API has paths below
``/api/v1``, guards by `keys.needs`, and stands in the OpenAPI description by itself; for pages that are
for browsers or other protocols, say ``include_in_schema=False``.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from litestar.types import ControllerRouterHandler

from postroad.web import (
    credentials,
    explore,
    health,
    jmap,
    mail_view,
    me,
    oauth,
    pages,
    road,
    suppressions,
    templates,
    webhooks,
)
from postroad.web.api import find, send, steer
from postroad.web.console import rooms
from postroad.web.services import Services

Routes: TypeAlias = Callable[[Services], Sequence[ControllerRouterHandler]]

ROUTES: tuple[Routes, ...] = (
    health.routes,
    explore.routes,
    send.routes,
    find.routes,
    steer.routes,
    suppressions.routes,
    templates.routes,
    webhooks.routes,
    jmap.routes,
    me.routes,
    rooms.routes,
    credentials.routes,
    oauth.routes,
    pages.routes,
    mail_view.routes,
    road.routes,
)
