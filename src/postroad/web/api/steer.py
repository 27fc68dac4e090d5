"""Changing what happens to a message that waits: cancel, retry, hold, release, reschedule."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar import Request, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from postroad.model import ApiScope
from postroad.service.desk import Keys
from postroad.web.api.find import Finder, shape
from postroad.web.api.reading import moment_of
from postroad.web.api.shapes import RescheduleIn, Steered
from postroad.web.explore import BASE
from postroad.web.keys import SECURITY, key_of, needs
from postroad.web.problem import Problem
from postroad.web.services import Services

_Steer = Callable[[Keys, str], Awaitable[int]]


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""
    desk, finder = services.desk, Finder(services)
    manage: dict[str, Any] = {
        "status_code": 200,
        "guards": [needs(ApiScope.MANAGE)],
        "security": SECURITY,
        "tags": ["messages"],
    }

    async def steer(request: Request[Any, Any, Any], text: str, what: str, act: _Steer) -> Steered:
        key = key_of(request)
        message, deliveries = await finder.get(text, key)
        keys = [(message.id, each.ordinal) for each in deliveries]
        changed = await act(keys, f"key {key.name!r} (API)")
        if not changed:
            raise Problem(409, "too-late", f"there is no recipient left to {what} this message for")
        return Steered(changed, shape(*await finder.get(text, key)))

    @post(f"{BASE}/messages/{{id_:str}}/cancel", summary="Cancel a message", **manage)
    async def cancel(request: Request[Any, Any, Any], id_: FromPath[str]) -> Steered:
        """End what has not been begun, for good and without a report."""
        return await steer(request, id_, "cancel", desk.cancel)

    @post(f"{BASE}/messages/{{id_:str}}/retry", summary="Try a message now", **manage)
    async def retry(request: Request[Any, Any, Any], id_: FromPath[str]) -> Steered:
        """Make what waits due now."""
        return await steer(request, id_, "retry", desk.retry)

    @post(f"{BASE}/messages/{{id_:str}}/hold", summary="Hold a message", **manage)
    async def hold(request: Request[Any, Any, Any], id_: FromPath[str]) -> Steered:
        """Stop it until it is released."""
        return await steer(request, id_, "hold", desk.hold)

    @post(f"{BASE}/messages/{{id_:str}}/release", summary="Release a held message", **manage)
    async def release(request: Request[Any, Any, Any], id_: FromPath[str]) -> Steered:
        """Make what is held due now."""
        return await steer(request, id_, "release", desk.release)

    @post(f"{BASE}/messages/{{id_:str}}/reschedule", summary="Send a message later", **manage)
    async def reschedule(
        request: Request[Any, Any, Any], id_: FromPath[str], data: JSONBody[RescheduleIn]
    ) -> Steered:
        """Put what waits or is held off, or forward, until `send_at`."""
        now = services.clock.now()
        due_at = moment_of(data.send_at, now, services.settings)

        async def act(keys: Keys, by: str) -> int:
            return await desk.reschedule(keys, max(due_at, now), by)

        return await steer(request, id_, "reschedule", act)

    return [cancel, retry, hold, release, reschedule]
