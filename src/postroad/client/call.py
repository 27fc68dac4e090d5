"""One call of the API as a value: what to ask, whether it may be asked twice, how to read the answer.
Without I/O.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from postroad.client.errors import Unreadable

T = TypeVar("T")

JSON = "application/json"


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """One call. `repeatable`: asked twice, it is done once; so it is asked again where no answer
    came.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    repeatable: bool
    query: str = ""
    body: bytes = b""
    media_type: str = ""
    key: str | None = None

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def headers(self) -> dict[str, str]:
        """What it has of its own."""
        found = {"Content-Type": self.media_type} if self.media_type else {}
        return found if self.key is None else found | {"Idempotency-Key": self.key}


def get(path: str, kind: type[T], **values: str | None) -> Call[T]:
    """Return the call that reads what is at a path."""
    query = urlencode(given(**values))
    return Call(method="GET", path=path, read=reader(kind), repeatable=True, query=query)


def post(
    path: str, kind: type[T], body: Any = None, *, repeatable: bool = False, method: str = "POST"
) -> Call[T]:
    """Return the call that has something done; the body is JSON, nothing where it is None."""
    return Call(
        method=method,
        path=path,
        read=reader(kind),
        repeatable=repeatable,
        body=b"" if body is None else msgspec.json.encode(body),
        media_type="" if body is None else JSON,
    )


def delete(path: str, **values: str | None) -> Call[None]:
    """Return the call that removes what is at a path. It is not asked again where no answer came: the
    second time there is nothing, though the first removed it.
    """
    query = urlencode(given(**values))
    return Call(method="DELETE", path=path, read=_nothing, repeatable=False, query=query)


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """Return what reads an answer. Raises `Unreadable`."""

    def read(body: bytes) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Unreadable(f"the answer is none of the API: {error}") from error

    return read


def part(text: str) -> str:
    """Return a name or an id as a part of a path."""
    return quote(text, safe="")


def given(**values: str | None) -> list[tuple[str, str]]:
    """Return the parts of a query that are there."""
    return [(name, value) for name, value in values.items() if value is not None]


def moment(field: str, at: datetime | None) -> str | None:
    """Return a time as it is asked. Raises ValueError."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise ValueError(f"{field} has no zone: say datetime(..., tzinfo=UTC)")
    return at.isoformat()


def _nothing(_: bytes) -> None:
    return None
