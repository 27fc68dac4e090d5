"""`ports.ContentStore`: small contents in the database, large ones elsewhere.

A content up to `inline_max_octets` is kept in memory while it streams in and stored by the commit
that first refers to it. A larger one goes to `storage.large` as it comes, and is durable there before
that commit.
"""

from collections import OrderedDict
from collections.abc import Sequence

from postroad.model import ContentRef, Staged, format_id
from postroad.ports import MAX_ABOVE_OCTETS, StorageError
from postroad.storage.large import LargeContents, LargeWriter, Stored
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

_ALL = 1 << 31


class ContentCache:
    """The most recently staged contents, up to a number of octets: mail that is relayed as soon as
    it is accepted is not read back. Contents never change, so nothing in it can be stale.
    """

    def __init__(self, max_octets: int) -> None:
        self._max_octets = max_octets
        self._octets = 0
        self._contents: OrderedDict[int, bytes] = OrderedDict()

    def get(self, content_id: int) -> bytes | None:
        """Return a content that is still here."""
        return self._contents.get(content_id)

    def put(self, content_id: int, data: bytes) -> None:
        """Keep a content; the oldest make room."""
        if len(data) > self._max_octets // 4 or content_id in self._contents:
            return
        self._contents[content_id] = data
        self._octets += len(data)
        while self._octets > self._max_octets:
            _, old = self._contents.popitem(last=False)
            self._octets -= len(old)


class SqlContents:
    """Reads and stages contents. See `ports.ContentStore`. Raises `StorageError`."""

    def __init__(
        self,
        database: Database,
        large: LargeContents,
        *,
        inline_max_octets: int,
        cache_max_octets: int,
    ) -> None:
        self._database = database
        self._large = large
        self._inline_max_octets = inline_max_octets
        self._cache = ContentCache(cache_max_octets)

    def stage(self, content_id: int) -> "SqlContentWriter":
        """Begin a new content."""
        return SqlContentWriter(self, content_id)

    async def read(self, ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
        """Return the octets from `offset`, at most `limit`; ``b""`` past the end."""
        data = self._cache.get(ref.id)
        if data is not None:
            if offset == 0 and (limit is None or limit >= len(data)):
                return data
            return data[offset : None if limit is None else offset + limit]
        count = _ALL if limit is None else limit
        rows = self._database.read(SQL["content_piece"], (ref.id, offset, count))
        if not rows:
            raise StorageError(
                f"Content {format_id(ref.id)} is gone: its deliveries ended and no mailbox has it."
            )
        place, piece, begins = rows[0]
        if place != "inline":
            return await self._large.read(ref, begins, offset, limit)
        return piece or b""  # SQLite's substr makes NULL of an empty blob

    async def known(self, contents: Sequence[int]) -> set[int]:
        """Return which of these have a row. Raises `StorageError`."""

        def find(connection: Connection) -> set[int]:
            execute, sql = connection.execute, SQL["content_exists"]
            return {each for each in contents if execute(sql, (each,)).get is not None}

        return await self._database.browse(find)

    async def stored(self, contents: Sequence[int]) -> dict[int, Stored]:
        """Return the rows of those that have one. Raises `StorageError`."""

        def find(connection: Connection) -> dict[int, Stored]:
            found = connection.executemany(SQL["content_stored"], [(each,) for each in contents])
            return {row[0]: Stored(*row[1:]) for row in found}

        return await self._database.browse(find)

    async def sweep_orphans(self) -> int:
        """Remove large contents that no row names and nobody writes; return how many.

        For the first process of a server when it starts. Raises `StorageError`.
        """
        return await self._large.sweep(self.known)


class SqlContentWriter:
    """Takes one content as it streams in. See `ports.ContentWriter`."""

    def __init__(self, contents: SqlContents, content_id: int) -> None:
        self._contents = contents
        self._id = content_id
        self._inline_max = contents._inline_max_octets
        self._chunks: list[bytes] = []
        self._size = 0
        self._large: LargeWriter | None = None
        self._finished = False

    @property
    def size(self) -> int:
        """Octets written so far."""
        return self._size

    def write(self, chunk: bytes) -> None:
        """Add bytes. Raises `StorageError`."""
        if self._finished:
            raise self._over()
        self._size += len(chunk)
        if self._size <= self._inline_max:
            self._chunks.append(bytes(chunk))
            return
        if self._large is None:
            self._large = self._contents._large.begin(self._id)
            for each in self._chunks:
                self._large.write(each)
            self._chunks.clear()
        self._large.write(chunk)

    async def finish(self, above: bytes = b"") -> Staged:
        """Return what `Ledger.commit` needs. Raises `StorageError`; the writer is then discarded."""
        if self._finished:
            raise self._over()
        self._finished = True
        if len(above) > MAX_ABOVE_OCTETS:
            self.discard()
            raise StorageError(f"{len(above)} octets are too many to put on top of a message.")
        self._size += len(above)
        if self._large is not None:
            return await self._large.finish(self._size, above)
        data = above + b"".join(self._chunks)
        self._chunks.clear()
        self._contents._cache.put(self._id, data)
        return Staged(ContentRef(self._id, self._size), data)

    def discard(self) -> None:
        """Forget it all and remove what was written. Safe at any time before the commit."""
        self._finished = True
        self._chunks.clear()
        if self._large is not None:
            self._large.discard()

    def _over(self) -> StorageError:
        return StorageError(f"Content {format_id(self._id)} is finished or discarded already.")
