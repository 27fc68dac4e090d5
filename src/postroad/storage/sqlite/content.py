"""`ports.ContentStore`: small contents in the database, large ones in files.

A content up to `inline_max_octets` is kept in memory while it streams in and stored by the commit
that first refers to it. A larger one goes to ``content/<last two letters>/<id>`` as it comes, and
file and directory are fsynced before that commit. Such a file begins with a hole, for the fields that
are put on top once the whole message is known; the content is its end. Files that no committed content
row names (a crash in between) are swept at start, once they are old enough that no other process is
still writing them.
"""

import asyncio
import errno
import os
import time
from collections import OrderedDict
from collections.abc import Iterable
from io import BufferedWriter, FileIO
from pathlib import Path

from postroad.model import ContentRef, InvalidId, Staged, format_id, parse_id
from postroad.ports import MAX_ABOVE_OCTETS, StorageError, StorageFull
from postroad.storage.sqlite.database import Database
from postroad.storage.sqlite.statements import SQL

ORPHAN_AGE_SECONDS = 3600.0
WRITE_BUFFER_OCTETS = 256 * 1024
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


class SqliteContents:
    """Reads and stages contents. See `ports.ContentStore`. Raises `StorageError`."""

    def __init__(
        self, database: Database, directory: Path, *, inline_max_octets: int, cache_max_octets: int
    ) -> None:
        self._database = database
        self._directory = directory
        self._inline_max_octets = inline_max_octets
        self._cache = ContentCache(cache_max_octets)
        directory.mkdir(mode=0o700, exist_ok=True)

    def stage(self, content_id: int) -> "SqliteContentWriter":
        """Begin a new content."""
        return SqliteContentWriter(
            content_id, self._directory, self._inline_max_octets, self._cache
        )

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
        place, piece = rows[0]
        if place == "file":
            return await asyncio.to_thread(_read_file, self._path(ref.id), ref.size, offset, limit)
        return piece or b""  # SQLite's substr makes NULL of an empty blob

    def unlink(self, contents: Iterable[int]) -> None:
        """Remove files whose rows are gone. Called in the writer thread, after the commit; what
        fails here is swept at the next start.
        """
        for content_id in contents:
            _remove(self._path(content_id))

    def sweep_orphans(self) -> int:
        """Remove old files that no row names; return how many."""
        known = {row[0] for row in self._database.read(SQL["content_files"], ())}
        edge = time.time() - ORPHAN_AGE_SECONDS
        swept = 0
        for path in self._directory.glob("??/*"):
            try:
                content_id = parse_id(path.name)
                if content_id not in known and path.stat().st_mtime < edge:
                    path.unlink()
                    swept += 1
            except (InvalidId, OSError):
                continue  # not ours, or another process was quicker
        return swept

    def _path(self, content_id: int) -> Path:
        return _path(self._directory, content_id)


class SqliteContentWriter:
    """Takes one content as it streams in. See `ports.ContentWriter`."""

    def __init__(
        self, content_id: int, directory: Path, inline_max: int, cache: ContentCache
    ) -> None:
        self._id = content_id
        self._directory = directory
        self._inline_max = inline_max
        self._cache = cache
        self._chunks: list[bytes] = []
        self._size = 0
        self._file: BufferedWriter | None = None
        self._spilled = False
        self._finished = False

    @property
    def size(self) -> int:
        """Octets written so far."""
        return self._size

    @property
    def _path(self) -> Path:
        return _path(self._directory, self._id)

    def write(self, chunk: bytes) -> None:
        """Add bytes. Raises `StorageError`."""
        if self._finished:
            raise StorageError(f"{self._path}: the content is finished or discarded already.")
        self._size += len(chunk)
        if self._size <= self._inline_max:
            self._chunks.append(bytes(chunk))
            return
        try:
            if self._file is None:
                self._spill()
            assert self._file is not None
            self._file.write(chunk)
        except OSError as error:
            self.discard()
            raise _storage_error(self._path, error) from error

    async def finish(self, above: bytes = b"") -> Staged:
        """Return what `Ledger.commit` needs. Raises `StorageError`; the writer is then discarded."""
        if self._finished:
            raise StorageError(f"{self._path}: the content is finished or discarded already.")
        if above:
            self._put_above(above)
        ref = ContentRef(self._id, self._size)
        if not self._spilled:
            self._finished = True
            data = b"".join(self._chunks)
            self._chunks.clear()
            self._cache.put(self._id, data)
            return Staged(ref, data)
        try:
            await asyncio.to_thread(self._make_durable, above)
        except OSError as error:
            self.discard()
            raise _storage_error(self._path, error) from error
        self._finished = True
        return Staged(ref, None)

    def discard(self) -> None:
        """Forget it all and remove what was written. Safe at any time before the commit."""
        self._finished = True
        self._chunks.clear()
        if self._file is not None:
            self._file.raw.close()  # without flushing: nobody wants the rest
            self._file = None
        if self._spilled:
            self._spilled = False
            _remove(self._path)

    def _put_above(self, above: bytes) -> None:
        if len(above) > MAX_ABOVE_OCTETS:
            self.discard()
            raise StorageError(f"{len(above)} octets are too many to put on top of a message.")
        self._size += len(above)
        if not self._spilled:
            self._chunks.insert(0, above)

    def _spill(self) -> None:
        folder = self._path.parent
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
            _fsync_directory(folder.parent)
        handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._spilled = True
        self._file = BufferedWriter(FileIO(handle, "wb"), WRITE_BUFFER_OCTETS)
        self._file.seek(MAX_ABOVE_OCTETS)
        for chunk in self._chunks:
            self._file.write(chunk)
        self._chunks.clear()

    def _make_durable(self, above: bytes) -> None:
        assert self._file is not None
        if above:
            self._file.seek(MAX_ABOVE_OCTETS - len(above))
            self._file.write(above)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        _fsync_directory(self._path.parent)


def _path(directory: Path, content_id: int) -> Path:
    name = format_id(content_id)
    return directory / name[-2:].lower() / name


def _read_file(path: Path, size: int, offset: int, limit: int | None) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            begin = os.fstat(file.fileno()).st_size - size
            if begin < 0:
                raise StorageError(f"{path}: the file is shorter than its message. It is damaged.")
            file.seek(begin + offset)
            return file.read(-1 if limit is None else limit) or b""
    except OSError as error:
        raise _storage_error(path, error) from error


def _fsync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError:
        return  # swept at the next start


def _storage_error(path: Path, error: OSError) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"{path}: no space left. Free space on that file system (df -h).")
    return StorageError(f"{path}: {error.strerror}. Check the data directory and its disk.")
