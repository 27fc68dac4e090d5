"""The web app: one page for people, and the files that it is made of.

::

    GET  /                                       to /mail/
    GET  /mail/... /road/... /console/... /account /login /setup   the page; the app itself looks at the
                                                path
    GET  /assets/{name}                         what the page loads; its names never change
    GET  /sw.js /manifest.webmanifest /icon.svg

All files are read once, when the server starts; what the build compressed is sent as it is. Where the
app was not built (a checkout without ``make webapp``), its paths say so.
"""

import hashlib
import mimetypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from postroad.web.problem import Problem
from postroad.web.services import Services

BUNDLE = Path(__file__).parent / "app"
"""Where ``make webapp`` puts the app."""

PAGE = "index.html"
CONTENT_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
"""What the page may do: nothing but with files and answers of this server; no script or style in the
page itself. Mail is shown in frames that have policies of their own."""

_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json"}
_OUTSIDE = ("login", "setup", "account")
_FOREVER = "public, max-age=31536000, immutable"
_ASK = "no-cache"
_INSIDE = ("/mail", "/road", "/console")
_HIDDEN: dict[str, Any] = {"include_in_schema": False, "sync_to_thread": False}
_NOT_BUILT = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Postroad</title>
<h1>The web app is not built</h1>
<p>This installation is a checkout without it. Say <code>make webapp</code> and start the server again;
packages of Postroad have it in them.</p></html>
"""


class AppFile(Struct, frozen=True):
    """One file of the app: its media type (Litestar adds a charset to texts), its entity tag, and its
    octets by content coding (``""``: none).
    """

    media_type: str
    tag: str
    by_coding: Mapping[str, bytes]


def read_bundle(directory: Path) -> dict[str, AppFile]:
    """Return the files by their paths below `directory`, none where it is not there."""
    packed = {suffix for _, suffix in _ENCODINGS}
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.suffix not in packed:
            name = path.relative_to(directory).as_posix()
            found[name] = _read(path)
    return found


def _read(path: Path) -> AppFile:
    data = path.read_bytes()
    octets = {"": data}
    for coding, suffix in _ENCODINGS:
        packed = path.with_name(path.name + suffix)
        if packed.exists():
            octets[coding] = packed.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    kind = kind or "application/octet-stream"
    return AppFile(kind, hashlib.blake2b(data, digest_size=12).hexdigest(), octets)


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""
    return _Pages(read_bundle(BUNDLE)).handlers()


def page_routes() -> Sequence[ControllerRouterHandler]:
    """Return the routes of the page and its files, without the one to the mail."""
    return _Pages(read_bundle(BUNDLE)).handlers()[1:]


def is_built() -> bool:
    """Whether this installation has the app."""
    return (BUNDLE / PAGE).exists()


class _Pages:
    def __init__(self, files: Mapping[str, AppFile]) -> None:
        self.files = files

    def handlers(self) -> Sequence[ControllerRouterHandler]:
        """Return the routes."""

        @get("/", **_HIDDEN)
        def root() -> Redirect:
            return Redirect("/mail/", status_code=302)

        @get([path for each in _INSIDE for path in (each, f"{each}/{{rest:path}}")], **_HIDDEN)
        def inside(request: Request[Any, Any, Any]) -> Response[bytes]:
            return self.page(request)

        @get([f"/{part}{rest}" for part in _OUTSIDE for rest in ("", "/{rest:path}")], **_HIDDEN)
        def outside(request: Request[Any, Any, Any]) -> Response[bytes]:
            return self.page(request)

        @get("/assets/{name:str}", **_HIDDEN)
        def asset(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
            return self.file(request, f"assets/{name}", {"Cache-Control": _FOREVER})

        @get(["/sw.js", "/manifest.webmanifest", "/icon.svg"], **_HIDDEN)
        def at_the_top(request: Request[Any, Any, Any]) -> Response[bytes]:
            return self.file(request, request.url.path.lstrip("/"), {"Cache-Control": _ASK})

        return [root, inside, outside, asset, at_the_top]

    def page(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Answer with the one page."""
        headers = {
            "Cache-Control": _ASK,
            "Content-Security-Policy": CONTENT_POLICY,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        }
        if PAGE not in self.files:
            kind = "text/html; charset=utf-8"
            return Response(_NOT_BUILT, media_type=kind, status_code=503)
        return self.file(request, PAGE, headers)

    def file(
        self, request: Request[Any, Any, Any], name: str, headers: dict[str, str]
    ) -> Response[bytes]:
        """Answer with a file, by the best coding that the client takes. Raises `Problem`."""
        found = self.files.get(name)
        if found is None:
            raise Problem(404, "not-found", "there is no such file in this version of the app")
        codings = _accepted(request.headers.get("accept-encoding", ""))
        coding = next(
            (each for each, _ in _ENCODINGS if each in codings & set(found.by_coding)), ""
        )
        tag = f'"{found.tag}{"-" if coding else ""}{coding}"'
        headers = {**headers, "ETag": tag, "Vary": "Accept-Encoding"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(b"", status_code=304, headers=headers, media_type=found.media_type)
        if coding:
            headers["Content-Encoding"] = coding
        if name == "sw.js":
            # A service worker fetches under the policy of its own script.
            headers["Content-Security-Policy"] = "default-src 'none'; connect-src 'self'"
        return Response(found.by_coding[coding], headers=headers, media_type=found.media_type)


def _accepted(header: str) -> set[str]:
    """Return the codings that an Accept-Encoding takes (RFC 9110 §12.5.3)."""
    found = set()
    for each in header.lower().split(","):
        name, _, rest = each.partition(";")
        if rest.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            found.add(name.strip())
    return found
