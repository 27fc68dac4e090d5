"""`ports.ContentStore`: small contents in the database, large ones in files.

A content up to `inline_max_octets` is kept in memory while it streams in and stored by the commit
that first refers to it. A larger one goes to ``content/<last two letters>/<id>`` as it comes, and
file and directories are fsynced before that commit. Such a file begins with a hole, for the fields that
are put on top once the whole message is known; the row says where the content begins. Files that no
committed content row names (a crash in between) are swept when a server starts. Whoever writes a file
holds a lock on it from its birth until the commit, so that no sweep takes it for one of those, whatever
its clock says.
"""

import asyncio
import errno
import fcntl
import os
import time
from collections import OrderedDict
from collections.abc import Iterable
from functools import partial
from io import BufferedWriter, FileIO
from pathlib import Path

import apsw

from postroad.model import ContentRef, InvalidId, Staged, format_id, parse_id
from postroad.ports import MAX_ABOVE_OCTETS, StorageError, StorageFull
from postroad.storage.durable import sync_directory
from postroad.storage.sqlite.database import Database
from postroad.storage.sqlite.statements import SQL

ORPHAN_AGE_SECONDS = 3600.0
WRITE_BUFFER_OCTETS = 256 * 1024
SWEEP_STEP_FILES = 1000
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
        self._folders: set[Path] = set()
        self._held: dict[int, FileIO] = {}
        directory.mkdir(mode=0o700, exist_ok=True)

    def stage(self, content_id: int) -> "SqliteContentWriter":
        """Begin a new content."""
        return SqliteContentWriter(self, content_id)

    def let_go(self, contents: Iterable[int]) -> None:
        """The commit of these is over: what it did not take is for the sweep."""
        for content_id in contents:
            if (file := self._held.pop(content_id, None)) is not None:
                file.close()

    def close(self) -> None:
        """Let go of all."""
        self.let_go(list(self._held))

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
        if place == "file":
            path = self._path(ref.id)
            return await asyncio.to_thread(_read_file, path, begins, ref.size, offset, limit)
        return piece or b""  # SQLite's substr makes NULL of an empty blob

    def unlink(self, contents: Iterable[int]) -> None:
        """Remove files whose rows are gone. Called in the writer thread, after the commit; what
        fails here is swept at the next start.
        """
        for content_id in contents:
            _remove(self._path(content_id))

    async def sweep_orphans(self) -> int:
        """Remove old files that no row names and nobody writes; return how many.

        For the first process of a server when it starts. Raises `StorageError`.
        """
        paths = await asyncio.to_thread(self._old_files)
        swept = 0
        for start in range(0, len(paths), SWEEP_STEP_FILES):
            step = paths[start:][:SWEEP_STEP_FILES]
            swept += await self._database.browse(partial(_sweep, step))
        return swept

    def _old_files(self) -> list[tuple[int, Path]]:
        edge = time.time() - ORPHAN_AGE_SECONDS
        found = []
        for path in self._directory.glob("??/*"):
            try:
                if path.stat().st_mtime < edge:
                    found.append((parse_id(path.name), path))
            except (InvalidId, OSError):
                continue  # not ours, or just unlinked
        return found

    def _path(self, content_id: int) -> Path:
        name = format_id(content_id)
        return self._directory / name[-2:].lower() / name


class SqliteContentWriter:
    """Takes one content as it streams in. See `ports.ContentWriter`."""

    def __init__(self, contents: SqliteContents, content_id: int) -> None:
        self._contents = contents
        self._id = content_id
        self._inline_max = contents._inline_max_octets
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
        return self._contents._path(self._id)

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
            self._contents._cache.put(self._id, data)
            return Staged(ref, data)
        try:
            await asyncio.to_thread(self._make_durable, above)
        except OSError as error:
            self.discard()
            raise _storage_error(self._path, error) from error
        assert self._file is not None
        self._contents._held[self._id] = self._file.detach()  # type: ignore[assignment]
        self._file = None
        self._finished = True
        return Staged(ref, None, MAX_ABOVE_OCTETS - len(above))

    def discard(self) -> None:
        """Forget it all and remove what was written. Safe at any time before the commit."""
        self._finished = True
        self._chunks.clear()
        if self._file is not None:
            self._file.raw.close()  # without flushing: nobody wants the rest
            self._file = None
        self._contents.let_go((self._id,))
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
        path = self._path
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._spilled = True
        self._file = BufferedWriter(FileIO(handle, "wb"), WRITE_BUFFER_OCTETS)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
        folder = self._path.parent
        sync_directory(folder)
        # Whoever made the folder may not have come so far as to sync its name.
        if folder not in self._contents._folders:
            sync_directory(folder.parent)
            self._contents._folders.add(folder)
        if not os.fstat(self._file.fileno()).st_nlink:
            raise OSError(errno.ENOENT, "somebody removed the file while it came in")


def _sweep(paths: Iterable[tuple[int, Path]], connection: apsw.Connection) -> int:
    """Remove those of the files that no row names and nobody writes; return how many."""
    swept = 0
    for content_id, path in paths:
        if _is_known(connection, content_id):
            continue
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue  # another process was quicker
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_known(connection, content_id):  # it may have been let go just now
                path.unlink()
                swept += 1
        except OSError:
            continue  # somebody writes it
        finally:
            os.close(handle)
    return swept


def _is_known(connection: apsw.Connection, content_id: int) -> bool:
    return connection.execute(SQL["content_exists"], (content_id,)).get is not None


def _read_file(path: Path, begins: int, size: int, offset: int, limit: int | None) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            there = os.fstat(file.fileno()).st_size - begins
            if there != size:
                raise StorageError(
                    f"{path}: the file has {there} octets of a message of {size}. It is damaged."
                )
            file.seek(begins + offset)
            return file.read(-1 if limit is None else limit) or b""
    except OSError as error:
        raise _storage_error(path, error) from error


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError:
        return  # swept at the next start


def _storage_error(path: Path, error: OSError) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"{path}: no space left. Free space on that file system (df -h).")
    return StorageError(f"{path}: {error.strerror}. Check the data directory and its disk.")
