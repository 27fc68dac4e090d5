"""What goes wrong::

PostroadError
├── ConnectionLost      no answer came, after all attempts
├── Unreadable          an answer that is none of the API's
└── ApiError            the server says no: status, kind, detail, and which fields
    ├── InvalidRequest  400, 413, 422: ask something else
    ├── NotAllowed      401, 403: with another key
    ├── NotFound        404
    ├── Conflict        409: too late, or the idempotency key was used for another request
    └── Busy            429, 503: later, in `retry_after` seconds
"""

import msgspec

from postroad.client.shapes import Problem


class PostroadError(Exception):
    """All that this library raises about a call."""


class ConnectionLost(PostroadError):
    """No answer came. What was asked may have been done: ask again with the same key, `key`."""

    def __init__(self, words: str, key: str | None = None) -> None:
        super().__init__(words)
        self.key = key


class Unreadable(PostroadError):
    """An answer that is none of the API's: the address leads to something else."""


class ApiError(PostroadError):
    """The server refuses. `kind` is the last word of the problem's type, stable for programs; `errors`
    name the fields, as ``to[1]``.
    """

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem.detail or problem.title or f"status {problem.status}")
        self.problem = problem
        self.status = problem.status
        self.kind = problem.type.rpartition(":")[2]
        self.detail = problem.detail
        self.errors = problem.errors
        self.retry_after = retry_after

    @property
    def fields(self) -> tuple[str, ...]:
        """The paths of the fields that will not do; empty where it is about none."""
        return tuple([each.field for each in self.errors])


class InvalidRequest(ApiError):
    """What was asked will not do."""


class NotAllowed(ApiError):
    """The key is none, or not good for this."""


class NotFound(ApiError):
    """There is no such thing."""


class Conflict(ApiError):
    """It is too late, or the idempotency key was used for another request."""


class Busy(ApiError):
    """Not now; nothing was done."""


_KINDS: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: InvalidRequest,
    422: InvalidRequest,
    429: Busy,
    503: Busy,
}


def error_of(status: int, body: bytes, retry_after: float | None = None) -> ApiError:
    """Return the error for an answer of 400 or more, whether or not its body is a problem."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except (msgspec.DecodeError, RecursionError):
        problem = Problem(detail=body[:200].decode("utf-8", "replace").strip())
    problem = msgspec.structs.replace(problem, status=status)
    return _KINDS.get(status, ApiError)(problem, retry_after)
