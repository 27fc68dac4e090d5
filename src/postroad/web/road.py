"""What people ask of their own mail beside JMAP: the road of a message, live too, and how safe the way
to a recipient is. Logins are those of JMAP.

::

    GET  /api/v1/me/road/{emailId}?dialogue=0|1    the road of a message that came, or was sent
    GET  /api/v1/me/road/{emailId}/events          the same as server-sent events, each time it changed
    POST /api/v1/me/reach                          {"recipients": ["bob@example.org"]}
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import asgi
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler, Receive, Send
from litestar.types import Scope as HttpScope
from msgspec import Struct

from postroad.model import Account
from postroad.ports import StorageError
from postroad.service.reach import Reach
from postroad.service.road import Roads
from postroad.service.road_shapes import Road
from postroad.web.body import decoded
from postroad.web.events import until_gone
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

        @asgi(f"{BASE}/road/{{email:str}}/events", copy_scope=True)
        async def events(scope: HttpScope, receive: Receive, send: Send) -> None:
            account = await self.account(scope)
            email = str(scope["path_params"]["email"])
            first = await self.road(account, email)
            if self.streams[account.id] >= MAX_STREAMS:
                raise Problem(429, "too-many-streams", f"at most {MAX_STREAMS} at once")
            self.streams[account.id] += 1
            try:
                await self._stream(account, email, first, receive, send)
            finally:
                self.streams[account.id] -= 1
                if not self.streams[account.id]:
                    del self.streams[account.id]

        @post(f"{BASE}/reach", status_code=200, **_HIDDEN)
        async def reach(request: Request[Any, Any, Any]) -> Response[bytes]:
            await self.account(request.scope)
            question = await decoded(request, Question)
            most = self.reach.settings.max_recipients
            if len(question.recipients) > most:
                raise invalid("recipients", f"more than {most}")
            return _json({"recipients": await self.reach.of(question.recipients)})

        return [road, events, reach]

    async def _stream(
        self, account: Account, email: str, first: Road, receive: Receive, send: Send
    ) -> None:
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        tasks = [
            asyncio.create_task(work)
            for work in (until_gone(receive), self._tell(account, email, first, send))
        ]
        try:
            done, _ = await asyncio.wait(
                tasks, timeout=MAX_STREAM_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, account: Account, email: str, road: Road, send: Send) -> None:
        """Send the road as it is, and again as it changes, until nothing more will happen."""
        told, silent = b"", 0.0
        look_seconds = self.services.settings.jmap_look_seconds
        while True:
            data = msgspec.json.encode(road)
            if data != told:
                event = b"event: road\ndata: %s\n\n" % data
                await send({"type": "http.response.body", "body": event, "more_body": True})
                told, silent = data, 0.0
            if road.done:
                return
            await asyncio.sleep(look_seconds)
            silent += look_seconds
            if silent >= _PING_SECONDS:
                await send({"type": "http.response.body", "body": b": here\n\n", "more_body": True})
                silent = 0.0
            try:
                road = await self.road(account, email)
            except (Problem, StorageError):
                return  # who still wants to know asks again, and is told why


def _json(value: object) -> Response[bytes]:
    return Response(msgspec.json.encode(value), media_type="application/json")
