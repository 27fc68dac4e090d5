"""What the stores need of a place for contents that are too large for the database.

Such a content is durable before the commit that names it, is named by a row in the database from then
on, and is removed after the commit that removes the row. What a crash leaves without a row is swept.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from postroad.model import ContentRef, Staged
from postroad.ports import StorageError

Known: TypeAlias = Callable[[Sequence[int]], Awaitable[set[int]]]
"""Which of these contents the database names. Raises `StorageError`."""


class Stored(Struct, frozen=True):
    """What a row says of a content: its size, where it begins in its file, and its SHA-256."""

    size: int
    begins: int
    digest: bytes | None


Lookup: TypeAlias = Callable[[Sequence[int]], Awaitable[dict[int, Stored]]]
"""Returns the rows of those of these contents that have one. Raises `StorageError`."""


class ContentMissing(StorageError):
    """The content is not there where it was looked for."""


class LargeWriter(Protocol):
    """Takes one large content as it streams in. Raises `StorageError`, and is then discarded."""

    def write(self, chunk: bytes) -> None:
        """Add bytes."""
        ...

    async def finish(self, size: int, above: bytes) -> Staged:
        """Put `above` in front; all, `size` octets, is durable on return, and nobody sweeps it before
        `LargeContents.let_go`.
        """
        ...

    def discard(self) -> None:
        """Forget it all and remove what was written. Safe to call more than once."""
        ...


class LargeContents(Protocol):
    """A place for large contents."""

    def begin(self, content_id: int) -> LargeWriter:
        """Begin a new content. Raises `StorageError`."""
        ...

    async def read(self, ref: ContentRef, begins: int, offset: int, limit: int | None) -> bytes:
        """Return the octets from `offset`, at most `limit`; ``b""`` past the end. `begins` is what
        `Staged` said. Raises `StorageError`: also where the content has another size.
        """
        ...

    def let_go(self, contents: Iterable[int]) -> None:
        """The commits of these are over, well or not: what is not named is for the sweep."""
        ...

    def remove(self, contents: Iterable[int]) -> None:
        """Remove contents whose rows are gone. Called in any thread; what cannot be removed now is
        tried again, or swept.
        """
        ...

    async def sweep(self, known: Known) -> int:
        """Remove old contents that no row names and nobody writes; return how many.

        Raises `StorageError`.
        """
        ...

    def close(self) -> None:
        """Let go of all."""
        ...
