"""What the shared code needs of an engine: a connection to speak to, and a database to read from."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Cursor(Protocol):
    """What a statement returned."""

    @property
    def get(self) -> Any:
        """The first row, without its tuple where that has one value; None where there is none."""

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""

    def fetchone(self) -> Any:
        """Return the next row, None where there is none."""

    def __iter__(self) -> Iterator[Any]:
        """Walk through the rows that are left."""


class Connection(Protocol):
    """One connection, used by one thread at a time."""

    def execute(self, statements: str, bindings: Any = ..., /) -> Cursor:
        """Run one statement of `statements.SQL`, or one in its words, with its values."""

    def executemany(self, statements: str, bindings: Iterable[Any], /) -> Cursor:
        """Run a statement for each of several rows of values; return what all of them returned."""

    def changes(self) -> int:
        """Return how many rows the last statement changed."""


class Database(Protocol):
    """Where reads go. All raise `StorageError`."""

    def read(self, sql: str, values: Sequence[object]) -> list[Any]:
        """Run one short read here, and return its rows."""

    def attempt(self, read: Callable[[Any], T]) -> T:
        """Run several short reads here."""

    async def browse(self, read: Callable[[Any], T]) -> T:
        """Run a read that may take long, in a thread."""
