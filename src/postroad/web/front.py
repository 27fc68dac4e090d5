"""What every request passes first, whichever route it is for: who asks, how often, how much, and what
stands in every answer. A plain ASGI application around another.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any, Protocol, TypeAlias

import structlog

from postroad.model import ApiKey, client_key
from postroad.ports import Clock
from postroad.web.problem import MEDIA_TYPE, Gone, Problem, problem_of
from postroad.web.rates import Rates, Standing
from postroad.web.settings import WebSettings

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

KEY = "api_key"
"""Where the state of a request has the `ApiKey` that was shown, None without one."""

_LINGER_SECONDS = 2.0
_SECURITY: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
_HSTS = (b"strict-transport-security", b"max-age=31536000")


log = structlog.get_logger("postroad.web")


class KeyVerifier(Protocol):
    """Recognises keys. See `service.api_keys`."""

    async def verify(self, token: str) -> ApiKey | None:
        """Return the key that a token is of."""


class Fronted(Protocol):
    """What the front needs of `Services`."""

    @property
    def settings(self) -> WebSettings:
        """What the HTTP server is told."""

    @property
    def clock(self) -> Clock:
        """The time."""

    @property
    def api_keys(self) -> KeyVerifier:
        """The keys of the API."""


class Front:
    """Wraps the application of all routes."""

    def __init__(self, app: App, services: Fronted) -> None:
        self._app = app
        self._keys = services.api_keys
        self._clock = services.clock
        self._max_body_octets = services.settings.max_body_octets
        per_second, at_once = (
            services.settings.requests_per_second,
            services.settings.requests_at_once,
        )
        self._rates = Rates(per_second, at_once)
        self._policy = f'"requests";q={at_once};w={max(1, round(at_once / per_second))}'.encode()
        self._date = (0, b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called for each request."""
        if scope["type"] != "http":
            return
        answer = _Answer(self, scope, send)
        try:
            length, token = _read_headers(scope["headers"])
            if length > self._max_body_octets:
                raise _too_large(self._max_body_octets)
            key = None
            if token is not None:
                key = await self._keys.verify(token)
            scope["state"][KEY] = key
            answer.standing = standing = self._rates.take(_who(scope, key), self._clock.monotonic())
            if not standing.allowed:
                raise _too_many(standing)
            body = _Body(receive, self._max_body_octets, answer)
            await self._app(scope, body.receive, answer.send)
        except Gone:
            pass
        except Exception as error:
            # A route's own errors have become answers before; this is what never reached one.
            if answer.started:
                log.error("an answer broke off", exc_info=error)
            else:
                await answer.refuse(problem_of(error), receive)

    def _headers(self, scope: Scope, standing: Standing | None) -> Headers:
        """What stands in every answer."""
        now = int(self._clock.now())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True).encode())
        headers = [(b"date", self._date[1])]
        if scope["scheme"] == "https":
            headers.append(_HSTS)
        if standing is not None:
            left = f'"requests";r={standing.remaining};t={max(0, round(standing.wait_seconds))}'
            headers += [(b"ratelimit-policy", self._policy), (b"ratelimit", left.encode())]
        return headers


class _Answer:
    """The way out of one request."""

    __slots__ = ("_front", "_scope", "_send", "standing", "started")

    def __init__(self, front: Front, scope: Scope, send: Send) -> None:
        self._front = front
        self._scope = scope
        self._send = send
        self.standing: Standing | None = None
        self.started = False

    async def send(self, message: Message) -> None:
        """Send what the application has, with the headers of every answer."""
        if message["type"] == "http.response.start":
            self.started = True
            given: Headers = list(message.get("headers", ()))
            names = {name.lower() for name, _ in given}
            given += self._front._headers(self._scope, self.standing)
            given += [each for each in _SECURITY if each[0] not in names]
            message["headers"] = given
        await self._send(message)

    async def refuse(self, problem: Problem, receive: Receive) -> None:
        """Answer with a problem, and close. What is still being sent is not read for long."""
        body = problem.encode()
        named = {name.lower(): value for name, value in problem.headers.items()} | {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            "connection": "close",
        }
        headers: Headers = [(name.encode(), value.encode()) for name, value in named.items()]
        status = problem.details.status
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        # A close with bytes unread resets the connection, and the client would not see the answer.
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while (await receive()).get("more_body"):
                    pass
        except TimeoutError:
            pass
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


class _Body:
    """The way in of one request: counts the octets of a body of unknown length."""

    __slots__ = ("_answer", "_left", "_limit", "_receive")

    def __init__(self, receive: Receive, limit: int, answer: _Answer) -> None:
        self._answer = answer
        self._receive = receive
        self._limit = limit
        self._left = limit

    async def receive(self) -> Message:
        """Return the next part. Raises `Problem` where it goes too far."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            if self._answer.started:
                return message  # who streams an answer wants to know when to stop
            raise Gone("the client is gone")
        body = message.get("body")
        if body:
            self._left -= len(body)
            if self._left < 0:
                raise _too_large(self._limit)
        return message


def _read_headers(headers: Headers) -> tuple[int, str | None]:
    """Return the length of the body as it is announced, and the bearer token (RFC 6750 §2.1)."""
    length, token = 0, None
    for name, value in headers:
        if name == b"content-length":
            length = int(value)
        elif name == b"authorization" and value[:7].lower() == b"bearer ":
            token = value[7:].strip().decode("latin-1")
    return length, token


def _who(scope: Scope, key: ApiKey | None) -> str:
    if key is not None:
        return f"key {key.id}"
    client = scope.get("client")
    return client_key(client[0]) if client else ""


def _too_large(limit: int) -> Problem:
    return Problem(
        413, "too-large", f"the body is larger than {limit} octets", headers={"Connection": "close"}
    )


def _too_many(standing: Standing) -> Problem:
    seconds = max(1, round(standing.wait_seconds + 0.5))
    return Problem(
        429,
        "too-many-requests",
        f"too many requests; try again in {seconds} s",
        headers={"Retry-After": str(seconds)},
    )
