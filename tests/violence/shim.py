"""A disk that can lose power, fill up, turn read-only or fail, under a real server.

The server works on a live directory as always. Beside it the shim keeps a *platter*: a directory that
has only what a power cut would leave. A write reaches the platter when its file is synced, and not
before; a new file's name when its directory is synced. Only as the dice fall (`survive`), writes get
there early, whole or torn at a sector, in any order, as real disks do it. To cut the power, the test
kills the process and goes on with the platter.

SQLite comes here through a VFS, content files through `os.fsync`, `os.unlink` and the file class that
they are written with. A directory is on the platter when the one above it was synced, and not before,
whatever was synced in it. Trouble strikes all of them; on the database file itself, checkpoints. A sync
that fails forgets what it should have written, for good: so does Linux, which marks the pages
clean. Trouble is chosen by one byte of a file that the test shares with us.
"""

import errno
import mmap
import os
import random
import threading
from collections.abc import Callable
from enum import IntEnum
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import apsw

SECTOR = 512
_WAL_INDEX = "-shm"  # shared memory in the form of a file; no power cut leaves one that is believed


class Trouble(IntEnum):
    """What is wrong with the disk at present."""

    NONE = 0
    FULL = 1
    READ_ONLY = 2
    WRITES_FAIL = 3
    SYNCS_FAIL = 4
    CHECKPOINTS_FAIL = 5  # the database file alone


class Control:
    """The byte by which the test tells the shim; made by whoever comes first."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(b"\0" * mmap.PAGESIZE)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    @property
    def trouble(self) -> Trouble:
        return Trouble(self._map[0])

    @trouble.setter
    def trouble(self, trouble: Trouble) -> None:
        self._map[0] = trouble

    @property
    def met(self) -> int:
        """How many operations failed by our will."""
        return int.from_bytes(self._map[8:16], "little")

    def meet(self) -> None:
        self._map[8:16] = (self.met + 1).to_bytes(8, "little")


class _Write(NamedTuple):
    """A write that is not synced yet, or (`data` None) a new length."""

    offset: int
    data: bytes | None


class Platter:
    """What is on stable storage, as a directory that mirrors the live one."""

    def __init__(self, live: Path, directory: Path, *, survive: float, seed: int) -> None:
        self.live = live.resolve()
        self._directory = directory
        self._synced = directory.with_name(directory.name + ".synced")  # without a name yet
        self._synced.mkdir(exist_ok=True)
        self._survive = survive
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._pending: dict[str, list[_Write]] = {}
        self._handles: dict[str, int] = {}
        self._nameless: dict[Path, set[str]] = {}  # synced directories that nobody would find

    def holds(self, path: str) -> bool:
        """Whether a path of the live directory is on this disk."""
        return path.startswith(f"{self.live}/") and not path.endswith(_WAL_INDEX)

    # SQLite's files

    def write(self, path: str, offset: int, data: bytes | None) -> None:
        with self._lock:
            self._pending.setdefault(path, []).append(_Write(offset, data))
            if self._random.random() < self._survive:
                if data is not None and self._random.random() < 0.3:
                    data = data[: self._random.randrange(0, len(data) + 1, SECTOR)]
                self._apply(path, _Write(offset, data))

    def sync(self, path: str) -> None:
        with self._lock:
            for write in self._pending.pop(path, ()):
                self._apply(path, write)

    def forget(self, path: str) -> None:
        """A sync failed: what it should have written is lost."""
        with self._lock:
            self._pending.pop(path, None)

    def remove(self, path: str) -> None:
        with self._lock:
            self._pending.pop(path, None)
            if (handle := self._handles.pop(path, None)) is not None:
                os.close(handle)
            self._place(path).unlink(missing_ok=True)

    def _apply(self, path: str, write: _Write) -> None:
        handle = self._handles.get(path)
        if handle is None:
            place = self._place(path)
            handle = self._handles[path] = os.open(place, os.O_CREAT | os.O_RDWR, 0o600)
        if write.data is None:
            os.ftruncate(handle, write.offset)
        else:
            os.pwrite(handle, write.data, write.offset)

    # Content files

    def sync_file(self, path: str) -> None:
        """The bytes are safe; the name is not before its directory is synced."""
        with self._lock:
            data = Path(path).read_bytes()
            if self._place(path).exists():
                self._put(self._place(path), data)
            else:
                self._put(self._synced / Path(path).name, data)

    def sync_directory(self, path: str) -> None:
        """The names are safe, also of files whose bytes are not: those are empty."""
        live = Path(path)
        with self._lock:
            self._name(live, {each.name for each in live.iterdir()})

    def _name(self, live: Path, names: set[str]) -> None:
        place = self._place(str(live))
        if not place.is_dir():
            self._nameless[live] = names
            return
        for each in place.iterdir():
            if each.is_file() and each.name not in names:
                each.unlink()
        for name in names:
            if (live / name).is_dir():
                if not (place / name).is_dir():
                    (place / name).mkdir()
                    self._name(live / name, self._nameless.pop(live / name, set()))
            elif self.holds(str(live / name)) and not (place / name).exists():
                synced = self._synced / name
                if synced.exists():
                    synced.rename(place / name)
                else:
                    (place / name).touch(0o600)

    def unlinked(self, path: str) -> None:
        """A name was removed; that may reach the disk at any time."""
        if self._random.random() < max(self._survive, 0.5):
            self._place(path).unlink(missing_ok=True)

    def _place(self, path: str) -> Path:
        return self._directory / Path(path).relative_to(self.live)

    @staticmethod
    def _put(place: Path, data: bytes) -> None:
        unfinished = place.with_name(place.name + ".part")
        unfinished.write_bytes(data)
        unfinished.rename(place)


class ShimVFS(apsw.VFS):
    """The usual VFS, seen by the platter and by the trouble of the day."""

    def __init__(self, platter: Platter, control: Control) -> None:
        super().__init__("violence", "unix", makedefault=True)
        self.platter = platter
        self.control = control

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or not self.platter.holds(path):
            return apsw.VFSFile("unix", name, flags)
        return ShimFile(self, path, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        if self.platter.holds(filename):
            self.platter.remove(filename)


class ShimFile(apsw.VFSFile):
    """A file of SQLite's."""

    def __init__(
        self, vfs: ShimVFS, path: str, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        super().__init__("unix", name, flags)
        self._platter = vfs.platter
        self._control = vfs.control
        self._path = path
        self._is_log = path.endswith("-wal")

    def xWrite(self, data: Any, offset: int) -> None:
        self._fail(writing=True)
        super().xWrite(data, offset)
        self._platter.write(self._path, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:
        self._fail(writing=True)
        super().xTruncate(newsize)
        self._platter.write(self._path, newsize, None)

    def xSync(self, flags: int) -> None:
        self._fail(writing=False)
        super().xSync(flags)
        self._platter.sync(self._path)

    def _fail(self, *, writing: bool) -> None:
        trouble = self._control.trouble
        if trouble is Trouble.CHECKPOINTS_FAIL and self._is_log:
            return
        if trouble is Trouble.NONE or (trouble is Trouble.SYNCS_FAIL) is writing:
            return
        self._control.meet()
        if trouble is Trouble.FULL:
            raise apsw.FullError("no space left, says the shim")
        if trouble is Trouble.READ_ONLY:
            raise apsw.ReadOnlyError("read-only, says the shim")
        if trouble is Trouble.SYNCS_FAIL:
            self._platter.forget(self._path)
        raise apsw.IOError("I/O error, says the shim")


_ERRNO = {
    Trouble.FULL: errno.ENOSPC,
    Trouble.READ_ONLY: errno.EROFS,
    Trouble.WRITES_FAIL: errno.EIO,
    Trouble.SYNCS_FAIL: errno.EIO,
}


def install(platter: Platter, control: Control) -> ShimVFS:
    """Put the shim under everything this process writes to the live directory."""
    _watch_content_files(platter, control)
    return ShimVFS(platter, control)


def _watch_content_files(platter: Platter, control: Control) -> None:
    from postroad.storage import files

    def fail(*troubles: Trouble) -> None:
        if control.trouble in troubles:
            control.meet()
            number = _ERRNO[control.trouble]
            raise OSError(number, os.strerror(number))

    class ShimFileIO(FileIO):
        def write(self, data: Any, /) -> int:
            fail(Trouble.FULL, Trouble.READ_ONLY, Trouble.WRITES_FAIL)
            return super().write(data)

    real_fsync, real_unlink = os.fsync, os.unlink

    def fsync(handle: int) -> None:
        path = os.readlink(f"/proc/self/fd/{handle}")
        if not (platter.holds(path) or path == str(platter.live)):
            real_fsync(handle)
            return
        fail(Trouble.SYNCS_FAIL)
        real_fsync(handle)
        (platter.sync_directory if os.path.isdir(path) else platter.sync_file)(path)

    def unlink(path: Any, *more: Any, **options: Any) -> None:
        real_unlink(path, *more, **options)
        if platter.holds(os.fspath(path)):
            platter.unlinked(os.fspath(path))

    patch: Callable[[Any, str, Any], None] = setattr
    patch(files, "FileIO", ShimFileIO)
    patch(os, "fsync", fsync)
    patch(os, "unlink", unlink)
