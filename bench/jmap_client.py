"""Clients of mail that cost little: JMAP over one kept connection, IMAP over another."""

import base64
import http.client
import json
import socket
import time
from types import TracebackType
from typing import Any, Self

from peers.tools import LOOPBACK

_USING = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"]
_PIECE = 262_144


class JmapFailed(Exception):
    """The server answered something else than what was asked."""


class JmapClient:
    """One account over one connection. `seconds` is how long the last request took."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=600)
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        self.seconds = 0.0
        session = self._ask("GET", "/jmap/session", b"")
        self.account = session["primaryAccounts"][_USING[1]]

    def call(self, *calls: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Make calls in one request; return the arguments of their responses. Raises `JmapFailed`."""
        named = [
            (name, {"accountId": self.account, **given}, str(place))
            for place, (name, given) in enumerate(calls)
        ]
        body = json.dumps({"using": _USING, "methodCalls": named}).encode()
        responses = self._ask("POST", "/jmap/api", body)["methodResponses"]
        for name, told, _ in responses:
            if name == "error":
                raise JmapFailed(str(told))
        return [told for _, told, _ in responses]

    def _ask(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        begin = time.perf_counter()
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        data = answer.read()
        self.seconds = time.perf_counter() - begin
        if answer.status != 200:
            raise JmapFailed(f"{answer.status}: {data[:200]!r}")
        found: dict[str, Any] = json.loads(data)
        return found

    def inbox(self) -> str:
        """Return the id of the Inbox."""
        boxes = self.call(("Mailbox/get", {"properties": ["role"]}))[0]["list"]
        return str(next(box["id"] for box in boxes if box["role"] == "inbox"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()


class ImapClient:
    """A logged-in session with INBOX selected. Raises `JmapFailed` for any other answer than OK."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self._socket = socket.create_connection((LOOPBACK, port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.recv(_PIECE)
        self.command(f'LOGIN "{user}" "{password}"')
        self.command("SELECT INBOX")

    def command(self, words: str) -> bytes:
        """Say a command; return all that is answered, which is not looked at but for its end."""
        self._socket.sendall(f"a {words}\r\n".encode())
        pieces = [b""]
        while not _ended(pieces):
            piece = self._socket.recv(_PIECE)
            if not piece:
                raise JmapFailed("the server closed")
            pieces.append(piece)
        answer = b"".join(pieces)
        last = _last_line(answer)
        if not last.startswith(b"a OK"):
            raise JmapFailed(last.decode("utf-8", "replace"))
        return answer

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


def _ended(pieces: list[bytes]) -> bool:
    """Whether what came ends with a line that answers our tag."""
    tail = b"".join(pieces[-2:])
    if not tail.endswith(b"\r\n"):
        return False
    return _last_line(tail).startswith((b"a OK", b"a NO", b"a BAD"))


def _last_line(data: bytes) -> bytes:
    return data.rstrip(b"\r\n").rpartition(b"\n")[2]
