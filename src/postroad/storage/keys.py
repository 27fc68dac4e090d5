"""`ports.KeyStore`: a file for each key, ``keys/<domain>/<selector>.json``, that only its owner reads.

A file is written beside and renamed, so there is always the old key or the new one. One that others
could read is refused: whoever read it could sign in the domain's name.
"""

import contextlib
import os
import stat
from collections.abc import Hashable
from pathlib import Path

import msgspec

from postroad.model import StoredKey
from postroad.ports import StorageError

_NEW = ".new"


class FileKeys:
    """Keys below one directory, which is made with the first of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.changes = 0

    def generation(self) -> Hashable:
        """Return a value that differs where any process may have changed a key."""
        try:
            return self.changes, self._directory.stat().st_mtime_ns
        except FileNotFoundError:
            return self.changes, 0
        except OSError as error:
            raise _storage_error(self._directory, error) from error

    def all(self) -> list[StoredKey]:
        """Return all keys, by domain and age."""
        try:
            keys = [_read(path) for path in self._directory.glob("*/*.json")]
        except OSError as error:
            raise _storage_error(self._directory, error) from error
        return sorted(keys, key=lambda key: (key.domain, key.created_at, key.selector))

    def put(self, key: StoredKey) -> None:
        """Keep a key; durable on return."""
        path = self._path(key.domain, key.selector)
        new = path.with_suffix(_NEW)
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            new.unlink(missing_ok=True)
            handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            with open(handle, "wb") as file:
                file.write(msgspec.json.encode(key))
                file.flush()
                os.fsync(handle)
            new.replace(path)
            _sync(path.parent)
            _sync(self._directory)
            self._changed()
        except OSError as error:
            raise _storage_error(path, error) from error

    def remove(self, domain: str, selector: str) -> None:
        """Forget a key."""
        path = self._path(domain, selector)
        try:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # there are others in it, or it is not there
                path.parent.rmdir()
            if self._directory.exists():
                self._changed()
        except OSError as error:
            raise _storage_error(path, error) from error

    def _changed(self) -> None:
        """The directory's time tells other processes."""
        self.changes += 1
        os.utime(self._directory)

    def _path(self, domain: str, selector: str) -> Path:
        for part in (domain, selector):
            if not part or part.startswith(".") or "/" in part or "\0" in part:
                raise StorageError(f"{part!r} cannot be part of a key's name.")
        return self._directory / domain / f"{selector}.json"


def _read(path: Path) -> StoredKey:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with open(handle, "rb") as file:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        if mode & 0o077:
            raise StorageError(
                f"{path}: others may read this private key (mode {mode:03o}). "
                "If nobody did: chmod 600 it."
            )
        try:
            return msgspec.json.decode(file.read(), type=StoredKey)
        except msgspec.DecodeError as error:
            raise StorageError(f"{path}: this is no key: {error}.") from None


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _storage_error(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: {error.strerror}.")
