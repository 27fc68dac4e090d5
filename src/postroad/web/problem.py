"""Errors as problem details (RFC 9457): what is wrong, in which field, and what to do."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec import Struct

from postroad.ports import Conflict, StorageError, StorageFull
from postroad.service.errors import Refused
from postroad.service.templates import NotRendered

log = structlog.get_logger("postroad.web")

MEDIA_TYPE = "application/problem+json"

# Of msgspec and Litestar, who name in words alone what lacks, or is too much.
_NAMED = re.compile(r"(?:required|unknown) (?:field `|query parameter ')([^`']{1,80})[`']")


class FieldProblem(Struct, frozen=True):
    """What is wrong with one field. `field` is a path: ``to[0]``, ``attachments[1].content``."""

    field: str
    detail: str


class ProblemDetails(Struct, frozen=True, omit_defaults=True):
    """The body of an error (RFC 9457 §3.1). `type` is ``urn:postroad:problem:`` and a word of ours."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: tuple[FieldProblem, ...] = ()


class Gone(Exception):
    """The client closed the connection before its request was whole; there is nobody to answer."""


class Problem(Exception):
    """Raised by a route to answer with an error. `kind` is a word of ours, stable for programs."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.details = ProblemDetails(
            f"urn:postroad:problem:{kind}", title_of(status), status, detail, tuple(errors)
        )
        self.headers = dict(headers or {})

    def encode(self) -> bytes:
        """Return the body."""
        return msgspec.json.encode(self.details)


def title_of(status: int) -> str:
    """Return the usual words for a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def invalid(field: str, detail: str) -> Problem:
    """Return the problem of one field that will not do."""
    words = f"{field}: {detail}" if field else detail
    return Problem(400, "invalid", words, errors=[FieldProblem(field, detail)])


def undecodable(error: msgspec.DecodeError) -> Problem:
    """Return the problem of a body that is no JSON, or not of the wanted shape."""
    text, _, path = str(error).partition(" - at `")
    if not isinstance(error, msgspec.ValidationError):
        return Problem(400, "malformed", f"the body is no JSON: {text}")
    where = path.rstrip("`").lstrip("$").removesuffix("[...]")
    if (named := _NAMED.search(text)) is not None:
        where += f".{named[1]}"
    return invalid(where.lstrip("."), text)


def problem_of(error: Exception) -> Problem:
    """Return what to answer for anything that was raised."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Gone):
        return Problem(400, "gone", str(error))
    if isinstance(error, msgspec.DecodeError):
        return undecodable(error)
    if isinstance(error, RecursionError):
        return Problem(400, "malformed", "the body is nested too deeply")
    if isinstance(error, UnicodeDecodeError):  # of a text in JSON; msgspec raises it as it is
        return Problem(400, "malformed", "the body is no UTF-8")
    if isinstance(error, NotRendered):
        return _not_rendered(error)
    if isinstance(error, Refused):
        return Problem(422, "refused", str(error))
    if isinstance(error, Conflict):
        return Problem(409, "conflict", str(error))
    if isinstance(error, StorageFull):
        return Problem(
            503, "storage-full", "storage is full here, try again later", headers=_later()
        )
    if isinstance(error, StorageError):
        log.error("storage failed", error=str(error))
        return Problem(503, "storage", "storage failed here, try again later", headers=_later())
    if isinstance(error, BlockingIOError):
        return Problem(503, "busy", str(error), headers=_later())
    if isinstance(error, ValidationException):
        return _of_validation(error)
    if isinstance(error, HTTPException):
        kind = title_of(error.status_code).lower().replace(" ", "-")
        detail = error.detail if error.status_code < 500 else ""
        return Problem(error.status_code, kind, detail, headers=error.headers or {})
    log.error("a request failed", exc_info=error)
    return Problem(500, "internal", "something failed here; the log has more")


def _of_validation(error: ValidationException) -> Problem:
    found: Any = error.extra or []
    fields = [
        _field(str(each.get("key", "")), str(each.get("message", "")))
        for each in found
        if isinstance(each, dict)
    ]
    if not fields and (named := _NAMED.search(error.detail)) is not None:
        return invalid(named[1], "is missing")
    words = "; ".join(f"{each.field}: {each.detail}" for each in fields) or error.detail
    return Problem(400, "invalid", words, errors=fields)


def _field(key: str, words: str) -> FieldProblem:
    """Litestar calls the body as a whole ``data``."""
    named = _NAMED.search(words) if key == "data" else None
    return FieldProblem(key if named is None else named[1], words)


def _not_rendered(error: NotRendered) -> Problem:
    """Name the variable that is missing, or the part that is wrong."""
    fault = error.fault
    field = f"data.{fault.variable}" if fault.variable else fault.part
    return Problem(422, "template", str(error), errors=[FieldProblem(field, str(fault))])


def _later() -> dict[str, str]:
    return {"Retry-After": "5"}


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Return the response for an exception; Litestar calls this for all of them."""
    problem = problem_of(error)
    return Response(
        problem.encode(),
        status_code=problem.details.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )
