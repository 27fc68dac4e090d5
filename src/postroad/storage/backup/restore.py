"""Puts a backup into a data directory that has no store yet.

Nothing is overwritten. Each file is checked by its SHA-256 on the way. The database gets its name last,
so a restore that is cut off leaves no store behind, and goes on where it was when it is begun again.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from postroad.model import format_id
from postroad.ports import StorageError, StorageFull
from postroad.storage.backup.manifest import (
    PIECE_OCTETS,
    Manifest,
    Part,
    Progress,
    content_name,
    part_of,
)
from postroad.storage.backup.vault import Vault, open_vault, read_manifest
from postroad.storage.durable import make_directory, sync_directory
from postroad.storage.sqlite.snapshot import large_contents, open_snapshot
from postroad.storage.sqlite.store import FILE_NAME

_RESTORING = FILE_NAME + ".restoring"


class AlreadyStored(StorageError):
    """The data directory has a store, or the remains of one. The message says what to do."""


def restore_backup(
    source: Path,
    data_dir: Path,
    progress: Progress,
    finish: Callable[[Path, Manifest], None] | None = None,
) -> Manifest:
    """Put the backup `source` into `data_dir`, all of it on stable storage; return what it says of
    itself. `finish` does what is left to do with the database before it gets its name; if it takes the
    file away, none gets it. Raises `StorageError` or `OSError`.
    """
    vault = open_vault(source)
    try:
        return _Restore(vault, source, data_dir, progress).run(finish)
    finally:
        vault.close()


class _Restore:
    def __init__(self, vault: Vault, source: Path, data_dir: Path, progress: Progress) -> None:
        self._vault = vault
        self._source = source
        self._data_dir = data_dir
        self._progress = progress

    def run(self, finish: Callable[[Path, Manifest], None] | None) -> Manifest:
        manifest = read_manifest(self._vault, self._source)
        restoring = self._data_dir / _RESTORING
        self._refuse_to_overwrite(restoring)
        make_directory(self._data_dir)
        if not self._is_there(restoring, manifest.parts[manifest.database]):
            self._copy(manifest.database, restoring, manifest.parts[manifest.database])
        self._contents(restoring)
        for name, part in manifest.parts.items():
            if name != manifest.database:
                path = self._data_dir / name.removeprefix("beside/")
                if not path.exists():
                    make_directory(path.parent)
                    self._copy(name, path, part)
        if finish is not None:
            finish(restoring, manifest)
        if restoring.exists():
            restoring.rename(self._data_dir / FILE_NAME)
        sync_directory(self._data_dir)
        return manifest

    def _refuse_to_overwrite(self, restoring: Path) -> None:
        path = self._data_dir / FILE_NAME
        if path.exists():
            raise AlreadyStored(
                f"{path} is there already, and a restore overwrites nothing. Move {self._data_dir} "
                "away, or name another server.data_dir."
            )
        content = self._data_dir / "content"
        if content.exists() and any(content.iterdir()) and not restoring.exists():
            raise AlreadyStored(
                f"{content} has the contents of another store. Move {self._data_dir} away first."
            )

    def _contents(self, restoring: Path) -> None:
        connection = open_snapshot(restoring)
        try:
            contents = large_contents(connection)
        finally:
            connection.close()
        total, done = sum(size for _, size, _, _ in contents), 0
        for content_id, size, begins, digest in contents:
            name = content_name(content_id)
            path = self._data_dir / name
            if not path.exists() or path.stat().st_size != begins + size:
                make_directory(path.parent)
                sha256 = "" if digest is None else digest.hex()
                self._copy(name, path, Part(size, sha256), begins, format_id(content_id))
            done += size
            self._progress("contents", done, total)

    def _is_there(self, path: Path, part: Part) -> bool:
        if not path.exists():
            return False
        with path.open("rb") as file:
            return part_of(file) == part

    def _copy(self, name: str, path: Path, part: Part, begins: int = 0, what: str = "") -> None:
        """Copy a file of the backup and check it. Raises `StorageError`."""
        partial = path.with_name(path.name + ".partial")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            with (
                self._vault.open(name) as source,
                os.fdopen(os.open(partial, flags, 0o600), "wb") as file,
            ):
                file.seek(begins)
                found = _pour(source, file, lambda done: self._told(what, done, part.size))
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageFull(f"{partial}: {error.strerror}") from error
        if found.size != part.size or (part.sha256 and found.sha256 != part.sha256):
            partial.unlink()
            raise StorageError(
                f"{self._source}: {name} is damaged: it has {found.size} octets of {part.size}, or "
                "another SHA-256. Take another backup."
            )
        partial.rename(path)
        sync_directory(path.parent)

    def _told(self, what: str, done: int, total: int) -> None:
        if not what:
            self._progress("database", done, total)


def _pour(source: BinaryIO, target: BinaryIO, told: Callable[[int], None]) -> Part:
    digest, size = hashlib.sha256(), 0
    while piece := source.read(PIECE_OCTETS):
        digest.update(piece)
        target.write(piece)
        size += len(piece)
        told(size)
    return Part(size, digest.hexdigest())
