"""Contents with something put on top for one attempt: the stored bytes stay as they are.

`ContentAbove` stands in front of a content store. A content with something above it has an id of its own
(negative, as no stored one is) for as long as the attempt takes.
"""

from collections.abc import Coroutine
from typing import Any

from postroad.model import ContentRef
from postroad.ports import ContentStore, StorageError
from postroad.ports.content import ContentWriter


class ContentAbove:
    """`ports.ContentStore` in front of another one."""

    def __init__(self, inner: ContentStore) -> None:
        self._inner = inner
        self._above: dict[int, tuple[bytes, ContentRef]] = {}
        self._last = 0

    def put(self, ref: ContentRef, above: bytes) -> ContentRef:
        """Return a reference to `above` and behind it the content of `ref`."""
        self._last -= 1
        self._above[self._last] = above, ref
        # What is put above has neither bare line ends nor dots at line starts: these are fields.
        return ContentRef(self._last, len(above) + ref.size, ref.plain)

    def drop(self, ref: ContentRef) -> None:
        """Forget what `put` returned."""
        self._above.pop(ref.id, None)

    def stage(self, content_id: int) -> ContentWriter:
        """As the store behind it."""
        return self._inner.stage(content_id)

    def read(
        self, ref: ContentRef, offset: int = 0, limit: int | None = None
    ) -> Coroutine[Any, Any, bytes]:
        """Return the octets from `offset`, at most `limit`. Raises `StorageError`."""
        if ref.id >= 0:
            return self._inner.read(ref, offset, limit)  # no coroutine of ours in between
        return self._read(ref, offset, limit)

    async def _read(self, ref: ContentRef, offset: int, limit: int | None) -> bytes:
        known = self._above.get(ref.id)
        if known is None:
            raise StorageError("the attempt that this content was made for is over")
        above, inner = known
        if offset >= len(above):
            return await self._inner.read(inner, offset - len(above), limit)
        piece = above[offset:] if limit is None else above[offset : offset + limit]
        left = None if limit is None else limit - len(piece)
        if left == 0:
            return piece
        return piece + await self._inner.read(inner, 0, left)
