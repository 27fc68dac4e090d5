"""JMAP over HTTP (RFC 8620): the session, requests, uploads and downloads in pieces, and events.

::

    GET  /.well-known/jmap, /jmap/session
    POST /jmap/api
    POST /jmap/upload/{accountId}
    GET  /jmap/download/{accountId}/{blobId}/{name}?type=...
    GET  /jmap/events?types=*&closeafter=no&ping=300
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import asgi
from litestar.params import FromPath
from litestar.response import Stream
from litestar.types import ControllerRouterHandler, Receive, Send
from litestar.types import Scope as HttpScope

from postroad.model import Account
from postroad.service.authenticate import Authenticator
from postroad.service.jmap import Jmap
from postroad.service.jmap.ids import Kind, show
from postroad.service.jmap.jmap import Visitor
from postroad.web.events import Events, EventsWanted
from postroad.web.logins import client_of, log_in
from postroad.web.problem import MEDIA_TYPE, Problem
from postroad.web.services import Services
from postroad.wire.jmap import RequestError

JSON = "application/json"
MAX_EVENT_STREAMS = 20
"""Of one account at once."""

_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}(?:; ?[ -~]{1,100})?"
)
_HIDDEN: dict[str, Any] = {"include_in_schema": False}
# What is downloaded is nobody's page: a browser shows nothing of it in our name.
_SANDBOX = "default-src 'none'; sandbox"


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes, none where JMAP is off."""
    if services.jmap is None or services.authenticator is None:
        return []
    return _Routes(services.jmap, services.authenticator, services).handlers()


class _Routes:
    def __init__(self, jmap: Jmap, authenticator: Authenticator, services: Services) -> None:
        self.jmap = jmap
        self.authenticator = authenticator
        signing_in = services.signing_in
        self.people = None if signing_in is None else signing_in.people
        self.url = services.settings.jmap_url
        self.look_seconds = services.settings.jmap_look_seconds
        self.watching: Counter[int] = Counter()

    async def account(self, scope: Any) -> Account:
        """Return who asks. Raises `Problem`."""
        return await log_in(self.authenticator, scope, self.people)

    def base(self, request: Request[Any, Any, Any]) -> str:
        """Return where this server is for that client."""
        if self.url:
            return self.url
        host = request.headers.get("host", "")
        return f"{request.scope['scheme']}://{host}"

    def handlers(self) -> Sequence[ControllerRouterHandler]:
        """Return the routes."""

        @get(["/.well-known/jmap", "/jmap/session"], **_HIDDEN)
        async def session(request: Request[Any, Any, Any]) -> Response[bytes]:
            account = await self.account(request.scope)
            told = self.jmap.session(account, self.base(request))
            return Response(
                msgspec.json.encode(told),
                media_type=JSON,
                headers={"Cache-Control": "no-cache, no-store, must-revalidate"},
            )

        @post("/jmap/api", status_code=200, **_HIDDEN)
        async def api(request: Request[Any, Any, Any]) -> Response[bytes]:
            account = await self.account(request.scope)
            try:
                if request.headers.get("content-type", "").partition(";")[0].strip() != JSON:
                    raise RequestError("notJSON", f"the content type has to be {JSON}")
                most = self.jmap.desk.settings.limits.max_size_request
                body = await _whole(request, most)
                answer = await self.jmap.handle(account, body, _visitor(request))
            except RequestError as error:
                return _refused(error)
            return Response(answer, media_type=JSON)

        @post("/jmap/upload/{account_id:str}", status_code=201, **_HIDDEN)
        async def upload(
            request: Request[Any, Any, Any], account_id: FromPath[str]
        ) -> Response[bytes]:
            account = await self.account(request.scope)
            _own(account, account_id)
            kind = request.headers.get("content-type", "") or "application/octet-stream"
            try:
                told = await self.jmap.upload(account, kind, request.stream())
            except RequestError as error:
                return _refused(error)
            return Response(msgspec.json.encode(told), media_type=JSON, status_code=201)

        @get("/jmap/download/{account_id:str}/{blob_id:str}/{name:path}", **_HIDDEN)
        async def download(
            request: Request[Any, Any, Any],
            account_id: FromPath[str],
            blob_id: FromPath[str],
            name: FromPath[str],
        ) -> Stream:
            account = await self.account(request.scope)
            found = await self.jmap.download(account, account_id, blob_id)
            if found is None:
                raise Problem(404, "no-blob", "there is no such blob for this login")
            blob, pieces = found
            kind = request.query_params.get("type", "") or blob.media_type
            safe = quote(name.lstrip("/"), safe="")
            headers = {
                "Content-Disposition": f"attachment; filename*=utf-8''{safe}",
                "Content-Security-Policy": _SANDBOX,
                "Cache-Control": "private, immutable, max-age=31536000",
            }
            if blob.size is not None:
                headers["Content-Length"] = str(blob.size)
            sound = kind if _MEDIA_TYPE.fullmatch(kind) else "application/octet-stream"
            return Stream(pieces, media_type=sound, headers=headers)

        @asgi("/jmap/events", copy_scope=True)
        async def events(scope: HttpScope, receive: Receive, send: Send) -> None:
            account = await self.account(scope)
            wanted = EventsWanted.parse(scope)
            if self.watching[account.id] >= MAX_EVENT_STREAMS:
                raise Problem(429, "too-many-streams", f"at most {MAX_EVENT_STREAMS} at once")
            self.watching[account.id] += 1
            try:
                number = show(Kind.ACCOUNT, account.id)
                await Events(self.jmap, account, number, wanted, self.look_seconds).run(
                    receive, send
                )
            finally:
                self.watching[account.id] -= 1
                if not self.watching[account.id]:
                    del self.watching[account.id]

        return [session, api, upload, download, events]


def _own(account: Account, account_id: str) -> None:
    if account_id != show(Kind.ACCOUNT, account.id):
        raise Problem(404, "no-account", "there is no such account for this login")


def _visitor(request: Request[Any, Any, Any]) -> Visitor:
    secure = request.scope["scheme"] == "https"
    return Visitor(client_of(request.scope), "TLS" if secure else None)


def _refused(error: RequestError) -> Response[bytes]:
    told = msgspec.json.encode(error.to_json())
    return Response(told, status_code=error.status, media_type=MEDIA_TYPE)


async def _whole(request: Request[Any, Any, Any], most: int) -> bytes:
    """Return the body, or enough of it to be refused."""
    pieces: list[bytes] = []
    size = 0
    stream: AsyncIterator[bytes] = request.stream()
    async for piece in stream:
        pieces.append(piece)
        size += len(piece)
        if size > most:
            break
    return b"".join(pieces)
