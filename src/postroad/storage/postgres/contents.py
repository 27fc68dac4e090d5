"""`ports.ContentStore`: as on SQLite, but that reading waits in a thread."""

from collections.abc import Sequence
from typing import Any

from postroad.model import ContentRef, format_id
from postroad.ports import StorageError
from postroad.storage.postgres.keeping import kept
from postroad.storage.sql.content import SqlContents
from postroad.storage.sql.statements import SQL

_ALL = 1 << 31


class PostgresContents(SqlContents):
    """Reads and stages contents. See `ports.ContentStore`. Raises `StorageError`."""

    async def read(self, ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
        """Return the octets from `offset`, at most `limit`; ``b""`` past the end."""
        data = self._cache.get(ref.id)
        if data is not None:
            return data[offset : None if limit is None else offset + limit]
        values = (ref.id, offset, _ALL if limit is None else limit)
        row: Any = await self._database.browse(
            lambda c: c.execute(SQL["content_piece"], values).fetchone()
        )
        if row is None:
            raise StorageError(
                f"Content {format_id(ref.id)} is gone: its deliveries ended and no mailbox has it."
            )
        place, piece, begins = row
        if place != "inline":
            return await self._large.read(ref, begins, offset, limit)
        return bytes(piece or b"")

    async def known(self, contents: Sequence[int]) -> set[int]:
        """Return which of these nobody may remove: all, while a backup is made."""
        if await self._database.browse(kept):
            return set(contents)
        return await super().known(contents)
