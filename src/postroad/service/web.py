"""A request and an answer of the web, as services see them: without the server that carries them."""

from collections.abc import Mapping

from msgspec import Struct


class WebRequest(Struct, frozen=True):
    """`method` is in upper case; `path` as it was sent, without the query; `body` all of it, which the
    server bounds. `content_type` and `agent` are header fields, ``""`` where they are not there.
    """

    method: str
    path: str
    host: str = ""
    content_type: str = ""
    agent: str = ""
    body: bytes = b""


class WebAnswer(Struct, frozen=True):
    """What to send back. `headers` are names and values, Content-Length not among them."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
