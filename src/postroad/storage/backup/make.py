"""Makes a backup of a data directory on which a server may run.

Consistent: while it is made no content is removed (`storage.keeping`), so all that the copied database
names is there to be copied. To a directory it is incremental: contents never change, so those that an
earlier backup has, or one that was cut off, are not copied again; the earlier backup stays whole
until the new manifest replaces its own.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from postroad.model import ContentRef, format_id
from postroad.ports import StorageError
from postroad.storage.backup.manifest import (
    FORMAT,
    NAME,
    PIECE_OCTETS,
    Manifest,
    Part,
    Progress,
    content_name,
    encode,
)
from postroad.storage.backup.vault import DirectorySink, Sink, TarSink
from postroad.storage.keeping import keep_contents
from postroad.storage.large import LargeContents
from postroad.storage.sqlite.connecting import PAGE_SIZE
from postroad.storage.sqlite.snapshot import (
    copy_database,
    counts,
    large_contents,
    node_of,
    open_snapshot,
)
from postroad.storage.sqlite.store import FILE_NAME

_LEFT_OUT = ("content", "locks")
_SUFFIXES_LEFT_OUT = (".lock", ".restoring")
TAR_SUFFIX = ".tar"


class Made(Struct, frozen=True):
    """What was done: contents copied, contents that were there already, octets copied."""

    manifest: Manifest
    copied_contents: int
    kept_contents: int
    copied_octets: int


Copy: TypeAlias = Callable[[Path, Progress], float]
"""Makes a database file, given its path, and returns the moment that it shows (seconds since 1970)."""


async def make_backup(
    data_dir: Path,
    large: LargeContents,
    target: Path,
    progress: Progress,
    copy: Copy | None = None,
) -> Made:
    """Back up `data_dir`, whose large contents are in `large`, into a directory, or into a file whose
    name ends with ``.tar``. `copy` is for stores whose database is elsewhere; who calls sees to it that
    no contents are removed there. Raises `StorageError` or `OSError`.
    """
    if copy is None and not (data_dir / FILE_NAME).exists():
        raise StorageError(f"{data_dir} has no {FILE_NAME}: there is nothing to back up.")
    _refuse_nonsense(data_dir, target)
    with contextlib.ExitStack() as stack:
        stack.enter_context(keep_contents(data_dir))
        sink, snapshot = _open_sink(target)
        stack.callback(sink.close)
        stack.callback(lambda: snapshot.unlink(missing_ok=True))
        made = await _Backup(data_dir, large, sink, progress).run(
            snapshot, copy or partial(_copy, data_dir)
        )
        sink.finish()
        if isinstance(sink, DirectorySink):
            _tidy(target, made.manifest, snapshot)
        return made


def _refuse_nonsense(data_dir: Path, target: Path) -> None:
    if target.resolve().is_relative_to(data_dir.resolve()):
        raise StorageError(f"{target} is inside {data_dir}; put the backup on another disk.")


def _open_sink(target: Path) -> tuple[Sink, Path]:
    """Return what takes the backup, and where the database may be copied to before."""
    if target.suffix == TAR_SUFFIX and not target.is_dir():
        return TarSink(target), target.with_name(target.name + ".db")
    return DirectorySink(target), target / "database.partial"


def _copy(data_dir: Path, snapshot: Path, progress: Progress) -> float:
    return copy_database(
        data_dir / FILE_NAME,
        snapshot,
        lambda done, total: progress("database", done * PAGE_SIZE, total * PAGE_SIZE),
    )


class _Backup:
    def __init__(
        self, data_dir: Path, large: LargeContents, sink: Sink, progress: Progress
    ) -> None:
        self._data_dir = data_dir
        self._large = large
        self._sink = sink
        self._progress = progress
        self._octets = 0

    async def run(self, snapshot: Path, copy: Copy) -> Made:
        moment = copy(snapshot, self._progress)
        connection = open_snapshot(snapshot)
        try:
            node = node_of(connection)
            self._refuse_anothers(node)
            there = counts(connection)
            contents = large_contents(connection)
        finally:
            connection.close()
        database = f"postroad-{int(moment * 1000)}.db"
        parts = {database: self._add_file(database, snapshot, "database")}
        copied = await self._contents(contents)
        for path in _beside(self._data_dir):
            name = f"beside/{path.relative_to(self._data_dir)}"
            parts[name] = self._add_file(name, path, "")
        manifest = Manifest(FORMAT, moment, node, version("postroad"), database, parts, there)
        self._add_bytes(NAME, encode(manifest))
        return Made(manifest, copied, len(contents) - copied, self._octets)

    def _refuse_anothers(self, node: str) -> None:
        """Two data directories in one backup would each remove the other's contents from it."""
        before = self._sink.before()
        if before is not None and before.node != node:
            raise StorageError(
                f"{self._sink.path} is a backup of another data directory (of {before.node}, and this "
                f"is {node}). Give each a directory of its own."
            )

    async def _contents(self, contents: list[tuple[int, int, int, bytes | None]]) -> int:
        total, done, copied = sum(size for _, size, _, _ in contents), 0, 0
        for content_id, size, begins, digest in contents:
            name = content_name(content_id)
            if not self._sink.has(name, size):
                await self._content(name, ContentRef(content_id, size), begins, digest)
                copied += 1
            done += size
            self._progress("contents", done, total)
        return copied

    async def _content(
        self, name: str, ref: ContentRef, begins: int, expected: bytes | None
    ) -> None:
        sink, found, offset = self._sink, hashlib.sha256(), 0
        sink.begin(name, ref.size)
        while piece := await self._large.read(ref, begins, offset, PIECE_OCTETS):
            found.update(piece)
            sink.write(piece)
            offset += len(piece)
        if expected is not None and found.digest() != expected:
            raise StorageError(
                f"content {format_id(ref.id)} is damaged: its SHA-256 is not that of what was stored. "
                "Find out what is lost: postroad verify-data"
            )
        sink.end()
        self._octets += ref.size

    def _add_file(self, name: str, path: Path, what: str) -> Part:
        size = path.stat().st_size
        self._sink.begin(name, size)
        digest, done = hashlib.sha256(), 0
        with path.open("rb") as file:
            while piece := file.read(PIECE_OCTETS):
                digest.update(piece)
                self._sink.write(piece)
                done += len(piece)
                if what:
                    self._progress(what, done, size)
        self._sink.end()
        self._octets += done
        return Part(done, digest.hexdigest())

    def _add_bytes(self, name: str, data: bytes) -> None:
        self._sink.begin(name, len(data))
        self._sink.write(data)
        self._sink.end()


def _beside(data_dir: Path) -> Iterator[Path]:
    """Yield the files that are neither the database nor contents nor locks: keys, certificates."""
    for path in sorted(data_dir.rglob("*")):
        top = path.relative_to(data_dir).parts[0]
        if top in _LEFT_OUT or top.startswith(FILE_NAME) or path.suffix in _SUFFIXES_LEFT_OUT:
            continue
        if path.is_file() and not path.is_symlink():
            yield path


def _tidy(target: Path, manifest: Manifest, snapshot: Path) -> None:
    """Remove from a directory what only earlier backups named, now that the new one is whole."""
    connection = open_snapshot(target / manifest.database)
    try:
        named = {content_name(each) for each, _, _, _ in large_contents(connection)}
    finally:
        connection.close()
    named |= {NAME, *manifest.parts}
    ours: list[Callable[[], Iterator[Path]]] = [
        lambda: target.glob("postroad-*.db"),
        lambda: target.glob("content/??/*"),
        lambda: target.glob("beside/**/*"),
    ]
    for find in ours:
        for path in list(find()):
            if path.is_file() and str(path.relative_to(target)) not in named:
                os.unlink(path)
