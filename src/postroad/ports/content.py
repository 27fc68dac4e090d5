"""Where the immutable bytes of messages are kept."""

from typing import Protocol

from postroad.model import ContentRef, Staged

MAX_ABOVE_OCTETS = 64 * 1024


class ContentWriter(Protocol):
    """Takes one content as it streams in. Nothing refers to it before `Ledger.commit`."""

    @property
    def size(self) -> int:
        """Octets written so far."""
        ...

    def write(self, chunk: bytes) -> None:
        """Add bytes. Raises `StorageError` where they can no longer be kept (disk full)."""
        ...

    async def finish(self, above: bytes = b"") -> Staged:
        """Return what `Ledger.commit` needs. Large content is on stable storage when this returns.

        `above` (`MAX_ABOVE_OCTETS` at most) is put in front of all that was written: fields that could
        be known only when the whole message was.

        Raises `StorageError`; the writer is then discarded.
        """
        ...

    def discard(self) -> None:
        """Forget it all and remove what was written. Safe to call at any time, more than once."""
        ...


class ContentStore(Protocol):
    """Reads and stages contents. Contents to which nothing refers any more are swept by the store."""

    def stage(self, content_id: int) -> ContentWriter:
        """Begin a new content."""
        ...

    async def read(self, ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
        """Return the octets from `offset`, at most `limit`; ``b""`` past the end.

        Large contents are read piece by piece by calling again. Raises `StorageError`.
        """
        ...
