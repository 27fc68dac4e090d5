"""What people ask of their own mail beside JMAP: the road of a message, live too, and how safe the way
to a recipient is. Logins are those of JMAP.

::

    GET  /api/v1/me/road/{emailId}?dialogue=0|1    the road of a message that came, or was sent
    GET  /api/v1/me/road/{emailId}/events          the same as server-sent events, each time it changed
    POST /api/v1/me/reach                          {"recipients": ["bob@example.org"]}
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Stream
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from postroad.model import Account
from postroad.ports import StorageError
from postroad.service.reach import Reach
from postroad.service.road import Roads
from postroad.service.road_shapes import Road
from postroad.web.body import decoded
from postroad.web.mail_view import account_of
from postroad.web.problem import Problem, invalid
from postroad.web.services import Services
from postroad.wire.jmap import MethodError

BASE = "/api/v1/me"
MAX_STREAMS = 10
"""Of one account at once."""

MAX_STREAM_SECONDS = 600.0
"""After that a stream ends, and who still wants it asks again."""

_PING_SECONDS = 15.0
_HIDDEN: dict[str, Any] = {"include_in_schema": False}


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom a message is to go to."""

    recipients: list[str]


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes, none where JMAP is off."""
    if services.roads is None or services.reach is None:
        return []
    return _Routes(services, services.roads, services.reach).handlers()


class _Routes:
    def __init__(self, services: Services, roads: Roads, reach: Reach) -> None:
        self.services = services
        self.roads = roads
        self.reach = reach
        self.streams: Counter[int] = Counter()

    async def account(self, scope: Any) -> Account:
        """Return who asks. Raises `Problem`."""
        return await account_of(self.services, scope)

    async def road(self, account: Account, email: str, *, dialogue: bool = False) -> Road:
        """Return a road. Raises `Problem`."""
        try:
            found = await self.roads.of(account, email, dialogue=dialogue)
        except MethodError as error:
            later = {"Retry-After": "5"}
            raise Problem(503, "not-noticed", str(error), headers=later) from None
        if found is None:
            raise Problem(404, "no-email", "there is no such email for this login")
        return found

    def handlers(self) -> Sequence[ControllerRouterHandler]:
        """Return the routes."""

        @get(f"{BASE}/road/{{email:str}}", **_HIDDEN)
        async def road(request: Request[Any, Any, Any], email: FromPath[str]) -> Response[bytes]:
            account = await self.account(request.scope)
            asked = request.query_params.get("dialogue", "0")
            if asked not in ("0", "1"):
                raise invalid("dialogue", "is 0 or 1")
            return _json(await self.road(account, email, dialogue=asked == "1"))

        @get(f"{BASE}/road/{{email:str}}/events", **_HIDDEN)
        async def events(request: Request[Any, Any, Any], email: FromPath[str]) -> Stream:
            account = await self.account(request.scope)
            first = await self.road(account, email)
            if self.streams[account.id] >= MAX_STREAMS:
                raise Problem(429, "too-many-streams", f"at most {MAX_STREAMS} at once")
            return Stream(
                self._events(account, email, first),
                media_type="text/event-stream",
                headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            )

        @post(f"{BASE}/reach", status_code=200, **_HIDDEN)
        async def reach(request: Request[Any, Any, Any]) -> Response[bytes]:
            await self.account(request.scope)
            question = await decoded(request, Question)
            most = self.reach.settings.max_recipients
            if len(question.recipients) > most:
                raise invalid("recipients", f"more than {most}")
            return _json({"recipients": await self.reach.of(question.recipients)})

        return [road, events, reach]

    async def _events(self, account: Account, email: str, road: Road) -> AsyncIterator[bytes]:
        """Yield the road as it is, and again as it changes, until nothing more will happen."""
        told, silent, left = b"", 0.0, MAX_STREAM_SECONDS
        look_seconds = self.services.settings.jmap_look_seconds
        self.streams[account.id] += 1
        try:
            while True:
                data = msgspec.json.encode(road)
                if data != told:
                    yield b"event: road\ndata: %s\n\n" % data
                    told, silent = data, 0.0
                left -= look_seconds
                if road.done or left <= 0:
                    return
                await asyncio.sleep(look_seconds)
                silent += look_seconds
                if silent >= _PING_SECONDS:
                    yield b": here\n\n"
                    silent = 0.0
                try:
                    road = await self.road(account, email)
                except (Problem, StorageError):
                    return  # who still wants to know asks again, and is told why
        finally:
            self.streams[account.id] -= 1
            if not self.streams[account.id]:
                del self.streams[account.id]


def _json(value: object) -> Response[bytes]:
    return Response(msgspec.json.encode(value), media_type="application/json")
