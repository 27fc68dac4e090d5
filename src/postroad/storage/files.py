"""Large contents in files: `storage.large` on the disk of one machine.

A content goes to ``content/<last two letters>/<id>`` as it comes, and file and directories are fsynced
before its commit. The file begins with a hole, for the fields that are put on top once the whole message
is known; the row says where the content begins. Whoever writes a file holds a lock on it from its birth
until the commit, so that no sweep takes it for one that a crash left behind, whatever its clock says.
While a backup is made no file is removed (`storage.keeping`).
"""

import asyncio
import errno
import fcntl
import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from io import BufferedWriter, FileIO
from pathlib import Path

from postroad.model import ContentRef, InvalidId, Staged, format_id, parse_id
from postroad.ports import MAX_ABOVE_OCTETS, StorageError, StorageFull
from postroad.storage.durable import sync_directory
from postroad.storage.keeping import Keeping
from postroad.storage.large import ContentMissing, Known

ORPHAN_AGE_SECONDS = 3600.0
WRITE_BUFFER_OCTETS = 256 * 1024
SWEEP_STEP_FILES = 500
MAX_POSTPONED = 100_000  # removals that wait for a backup's end; beyond, the sweep finds them


class FileContents:
    """Files below ``<data_dir>/content``. Raises `OSError` where that cannot be made.

    `also` is told of what is removed, in the thread that removes it.
    """

    place = "file"

    def __init__(self, data_dir: Path) -> None:
        self.directory = data_dir / "content"
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.keeping = Keeping(data_dir)
        self._folders: set[Path] = set()
        self._held: dict[int, FileIO] = {}
        self.also: Callable[[Sequence[int]], None] = _nothing
        self._postponed: deque[int] = deque(maxlen=MAX_POSTPONED)

    def begin(self, content_id: int) -> "FileWriter":
        """See `LargeContents`."""
        path = self.path(content_id)
        try:
            return FileWriter(self, content_id)
        except OSError as error:
            raise storage_error(path, error) from error

    async def read(self, ref: ContentRef, begins: int, offset: int, limit: int | None) -> bytes:
        """See `LargeContents`."""
        return await asyncio.to_thread(read_file, self.path(ref.id), begins, ref, offset, limit)

    def let_go(self, contents: Iterable[int]) -> None:
        """See `LargeContents`."""
        for content_id in contents:
            if (file := self._held.pop(content_id, None)) is not None:
                file.close()

    def remove(self, contents: Iterable[int]) -> None:
        """See `LargeContents`."""
        with self.keeping.removing() as may:
            if not may:
                self._postponed.extend(contents)
                return
            removed = [*self._postponed, *contents]
            self._postponed.clear()
            for content_id in removed:
                self.unlink(content_id)
            self.also(removed)

    async def sweep(self, known: Known) -> int:
        """See `LargeContents`. Removes nothing while a backup is made."""
        old = await asyncio.to_thread(self._old_files)
        swept = 0
        for start in range(0, len(old), SWEEP_STEP_FILES):
            swept += await self._sweep(old[start:][:SWEEP_STEP_FILES], known)
        return swept

    def unlink(self, content_id: int) -> bool:
        """Remove one file; False where it cannot be: it is swept at the next start."""
        try:
            self.path(content_id).unlink()
        except OSError:
            return False
        return True

    def path(self, content_id: int) -> Path:
        """Where the file of a content is."""
        name = format_id(content_id)
        return self.directory / name[-2:].lower() / name

    def stored(self, older_than_seconds: float = 0.0) -> list[int]:
        """Return the contents whose files are here and were not written for so long."""
        edge = time.time() - older_than_seconds
        found = []
        for path in self.directory.glob("??/*"):
            try:
                if path.stat().st_mtime <= edge:
                    found.append(parse_id(path.name))
            except (InvalidId, OSError):
                continue  # not ours, or just unlinked
        return found

    def close(self) -> None:
        """See `LargeContents`."""
        self.let_go(list(self._held))
        self.keeping.close()

    def lock(self, content_id: int) -> int | None:
        """Return a handle of a file that nobody writes and whose commit is over; None for another."""
        try:
            handle = os.open(self.path(content_id), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None  # another process was quicker
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return None
        return handle

    def _old_files(self) -> list[int]:
        return self.stored(ORPHAN_AGE_SECONDS)

    async def _sweep(self, contents: list[int], known: Known) -> int:
        needed = await known(contents)
        locked = {each: self.lock(each) for each in contents if each not in needed}
        try:
            ours = [each for each, handle in locked.items() if handle is not None]
            needed = await known(ours)  # they may have been let go just now
            with self.keeping.removing() as may:
                return sum(self.unlink(each) for each in ours if may and each not in needed)
        finally:
            for handle in locked.values():
                if handle is not None:
                    os.close(handle)


class FileWriter:
    """Writes one file. See `LargeWriter`. Raises `OSError` where it cannot be made."""

    def __init__(self, contents: FileContents, content_id: int) -> None:
        self._contents = contents
        self._id = content_id
        self._path = path = contents.path(content_id)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._file: BufferedWriter | None = BufferedWriter(
            FileIO(handle, "wb"), WRITE_BUFFER_OCTETS
        )
        self._there = True
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._file.seek(MAX_ABOVE_OCTETS)

    def write(self, chunk: bytes) -> None:
        """See `LargeWriter`."""
        if self._file is None:
            raise StorageError(f"{self._path}: the content is finished or discarded already.")
        try:
            self._file.write(chunk)
        except OSError as error:
            self.discard()
            raise storage_error(self._path, error) from error

    async def finish(self, size: int, above: bytes) -> Staged:
        """See `LargeWriter`."""
        if self._file is None:
            raise StorageError(f"{self._path}: the content is finished or discarded already.")
        try:
            digest = await asyncio.to_thread(self._make_durable, size, above)
        except OSError as error:
            self.discard()
            raise storage_error(self._path, error) from error
        self._contents._held[self._id] = self._file.detach()  # type: ignore[assignment]
        self._file = None
        begins = MAX_ABOVE_OCTETS - len(above)
        return Staged(ContentRef(self._id, size), None, begins, FileContents.place, digest)

    def discard(self) -> None:
        """See `LargeWriter`."""
        if self._file is not None:
            self._file.raw.close()  # without flushing: nobody wants the rest
            self._file = None
        self._contents.let_go((self._id,))
        if self._there:
            self._there = False
            self._contents.unlink(self._id)

    def _make_durable(self, size: int, above: bytes) -> bytes:
        file = self._file
        assert file is not None
        if above:
            file.seek(MAX_ABOVE_OCTETS - len(above))
            file.write(above)
        file.flush()
        handle = file.fileno()
        os.fsync(handle)
        folder = self._path.parent
        sync_directory(folder)
        # Whoever made the folder may not have come so far as to sync its name.
        if folder not in self._contents._folders:
            sync_directory(folder.parent)
            self._contents._folders.add(folder)
        if not os.fstat(handle).st_nlink:
            raise OSError(errno.ENOENT, "somebody removed the file while it came in")
        # Here, in a thread, and not as it comes in: there it would keep the event loop from its work.
        return digest_of(handle, MAX_ABOVE_OCTETS - len(above))


def _nothing(contents: Sequence[int]) -> None:
    pass


def digest_of(handle: int, begins: int) -> bytes:
    """Return the SHA-256 of an open file from `begins` on. Raises `OSError`."""
    digest = hashlib.sha256()
    offset = begins
    while piece := os.pread(handle, WRITE_BUFFER_OCTETS, offset):
        digest.update(piece)
        offset += len(piece)
    return digest.digest()


def read_file(path: Path, begins: int, ref: ContentRef, offset: int, limit: int | None) -> bytes:
    """Return a piece of a content's file. Raises `StorageError`."""
    try:
        with path.open("rb", buffering=0) as file:
            there = os.fstat(file.fileno()).st_size - begins
            if there != ref.size:
                raise StorageError(
                    f"{path}: the file has {there} octets of a message of {ref.size}. It is damaged."
                )
            file.seek(begins + offset)
            return file.read(-1 if limit is None else limit) or b""
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return what to raise for an error of the operating system."""
    if error.errno == errno.ENOENT:
        return ContentMissing(f"{path}: {error.strerror}. Restore it from a backup.")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"{path}: no space left. Free space on that file system (df -h).")
    return StorageError(f"{path}: {error.strerror}. Check the data directory and its disk.")
