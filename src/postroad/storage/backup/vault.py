"""Where a backup is: a directory, which later backups only add to, or one tar file.

Both hold files by name. A name is there only when all of its file is: in a directory each is written
beside, synced and renamed, so a backup that was cut off goes on where it was. A tar file gets its own
name with its last octet.
"""

import contextlib
import os
import tarfile
from pathlib import Path
from typing import BinaryIO, Protocol

from postroad.ports import StorageError
from postroad.storage.backup.manifest import MAX_OCTETS, NAME, Manifest, decode
from postroad.storage.durable import make_directory, sync_directory

_BLOCK = 512
_PARTIAL = ".partial"


class Vault(Protocol):
    """A backup to read. Raises `StorageError` with its place."""

    def open(self, name: str) -> BinaryIO:
        """Open a file of it."""
        ...

    def close(self) -> None:
        """Forget it."""
        ...


class Sink(Protocol):
    """A backup to write. Raises `OSError`."""

    path: Path

    def before(self) -> Manifest | None:
        """What an earlier backup there says of itself."""
        ...

    def has(self, name: str, size: int) -> bool:
        """Whether a whole file of that name and size is there from before."""
        ...

    def begin(self, name: str, size: int) -> None:
        """Begin a file of so many octets."""
        ...

    def write(self, piece: bytes) -> None:
        """Add to the file."""
        ...

    def end(self) -> None:
        """The file is whole."""
        ...

    def finish(self) -> None:
        """All is there, the manifest last; it is on stable storage on return."""
        ...

    def close(self) -> None:
        """Give up what was not ended."""
        ...


class DirectoryVault:
    """A directory, read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, name: str) -> BinaryIO:
        """See `Vault`."""
        try:
            return (self.path / name).open("rb")
        except OSError as error:
            raise _missing(self.path, name, error) from error

    def close(self) -> None:
        """See `Vault`."""


class TarVault:
    """A tar file, read; not compressed, so that each file in it is found at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._tar = tarfile.open(path, "r:")  # noqa: SIM115 - until close
            self._members = {each.name: each for each in self._tar if each.isreg()}
        except tarfile.TarError as error:
            raise StorageError(f"{path} is no backup: {error}") from error

    def open(self, name: str) -> BinaryIO:
        """See `Vault`."""
        member = self._members.get(name)
        file = None if member is None else self._tar.extractfile(member)
        if file is None:
            raise StorageError(f"{self.path}: {name} is not in this backup. It is not whole.")
        return file  # type: ignore[return-value]

    def close(self) -> None:
        """See `Vault`."""
        self._tar.close()


def open_vault(path: Path) -> Vault:
    """Open a backup. Raises `StorageError` or `OSError`."""
    if path.is_dir():
        return DirectoryVault(path)
    return TarVault(path)


def read_manifest(vault: Vault, path: Path) -> Manifest:
    """Return what a backup says of itself. Raises `StorageError`."""
    with vault.open(NAME) as file:
        return decode(file.read(MAX_OCTETS), str(path))


class DirectorySink:
    """A directory, written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make_directory(path)
        self._name = ""
        self._file: BinaryIO | None = None

    def before(self) -> Manifest | None:
        """See `Sink`."""
        if not (self.path / NAME).exists():
            return None
        return read_manifest(DirectoryVault(self.path), self.path)

    def has(self, name: str, size: int) -> bool:
        """See `Sink`."""
        try:
            return (self.path / name).stat().st_size == size
        except OSError:
            return False

    def begin(self, name: str, size: int) -> None:
        """See `Sink`."""
        make_directory((self.path / name).parent)
        self._name = name
        self._file = os.fdopen(_create(self.path / (name + _PARTIAL)), "wb")

    def write(self, piece: bytes) -> None:
        """See `Sink`."""
        assert self._file is not None
        self._file.write(piece)

    def end(self) -> None:
        """See `Sink`."""
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        path = self.path / self._name
        path.with_name(path.name + _PARTIAL).rename(path)
        sync_directory(path.parent)

    def finish(self) -> None:
        """See `Sink`."""

    def close(self) -> None:
        """See `Sink`."""
        if self._file is not None:
            self._file.close()
            (self.path / (self._name + _PARTIAL)).unlink(missing_ok=True)


class TarSink:
    """A tar file, written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make_directory(path.parent)
        self._partial = path.with_name(path.name + _PARTIAL)
        self._file: BinaryIO | None = os.fdopen(_create(self._partial), "wb")
        self._left = 0
        self._size = 0

    def before(self) -> Manifest | None:
        """See `Sink`."""
        return None

    def has(self, name: str, size: int) -> bool:
        """See `Sink`."""
        return False

    def begin(self, name: str, size: int) -> None:
        """See `Sink`."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        self._left = self._size = size
        self._put(info.tobuf(tarfile.PAX_FORMAT))

    def write(self, piece: bytes) -> None:
        """See `Sink`."""
        self._left -= len(piece)
        self._put(piece)

    def end(self) -> None:
        """See `Sink`."""
        if self._left:
            raise OSError(f"a file became {-self._left} octets longer while it was copied")
        self._put(bytes(-self._size % _BLOCK))

    def finish(self) -> None:
        """See `Sink`."""
        self._put(bytes(2 * _BLOCK))
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        self._partial.rename(self.path)
        sync_directory(self.path.parent)

    def close(self) -> None:
        """See `Sink`."""
        if self._file is not None:
            self._file.close()
            with contextlib.suppress(OSError):
                self._partial.unlink()

    def _put(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def _missing(path: Path, name: str, error: OSError) -> StorageError:
    if not isinstance(error, FileNotFoundError):
        return StorageError(f"{path / name}: {error.strerror}")
    if name == NAME:
        return StorageError(
            f"{path} is no backup, or one that was cut off: it has no {NAME}. "
            f"Make it again: postroad backup {path}"
        )
    return StorageError(f"{path / name} is missing. The backup is not whole.")
