"""The host names that links in our mail lead to: `service.landing` answers there, and nothing else is
served; at all other names it is never asked. A plain ASGI application around another.
"""

from postroad.service.landing import MAX_BODY_OCTETS, Landing
from postroad.service.web import WebAnswer, WebRequest
from postroad.web.front import App, Receive, Scope, Send
from postroad.web.problem import Problem

_PATHS = ("/u/", "/o/", "/c/")


class ByHost:
    """Chooses by the host name. Where links lead to `hostname`, the server's own, only their paths are
    taken.
    """

    def __init__(self, app: App, landing: Landing, hostname: str) -> None:
        self._app = app
        self._landing = landing
        self._hostname = hostname

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called for each request."""
        host, kind, agent = _read_headers(scope)
        path = str(scope["path"])
        if host not in self._landing.hosts or (
            host == self._hostname and not path.startswith(_PATHS)
        ):
            await self._app(scope, receive, send)
            return
        method = str(scope["method"])
        body = await _body(receive) if method == "POST" else b""
        answer = await self._landing.answer(WebRequest(method, path, host, kind, agent, body))
        await _send(answer, send, with_body=method != "HEAD")


def _read_headers(scope: Scope) -> tuple[str, str, str]:
    """Return host name, content type and user agent."""
    found = {b"host": "", b"content-type": "", b"user-agent": ""}
    for name, value in scope["headers"]:
        if name in found:
            found[name] = value.decode("latin-1")
    host = found[b"host"].lower()
    return host.partition(":")[0].rstrip("."), found[b"content-type"], found[b"user-agent"]


async def _body(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        piece = message.get("body", b"")
        size += len(piece)
        if size > MAX_BODY_OCTETS:
            raise Problem(413, "too-large", f"the body is larger than {MAX_BODY_OCTETS} octets")
        pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)


async def _send(answer: WebAnswer, send: Send, *, with_body: bool) -> None:
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in answer.headers.items()
    ]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})
