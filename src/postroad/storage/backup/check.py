"""Verifies a backup where it is: its hashes, and all that `storage.sql.verify` asks."""

import os
import tempfile
from pathlib import Path

import apsw

from postroad.model import ContentRef
from postroad.ports import StorageError
from postroad.storage.backup.manifest import (
    PIECE_OCTETS,
    Manifest,
    Progress,
    content_name,
    part_of,
)
from postroad.storage.backup.vault import DirectoryVault, Vault, open_vault, read_manifest
from postroad.storage.sql.verify import Problem, ReadLarge, Report, verify
from postroad.storage.sqlite.snapshot import counts, open_snapshot
from postroad.storage.sqlite.soundness import ENGINE

_AGAIN = "take another backup, or make this one again"


async def verify_backup(path: Path, progress: Progress) -> Report:
    """Look at all of a backup. Raises `StorageError` where it is none, or `OSError`."""
    vault = open_vault(path)
    try:
        manifest = read_manifest(vault, path)
        damaged = _damaged(vault, manifest)
        if any(problem.what.startswith(manifest.database) for problem in damaged):
            return Report({}, damaged)
        with tempfile.TemporaryDirectory(prefix="postroad-") as directory:
            database = _at_hand(vault, manifest, Path(directory))
            connection = open_snapshot(database)
            try:
                report = await verify(connection, _reader(vault), progress, ENGINE, _mend)
                report.problems[:0] = [*damaged, *_miscounted(connection, manifest)]
                return report
            finally:
                connection.close()
    finally:
        vault.close()


def _mend(content_id: int) -> str:
    """A content that is there is not copied again, so it has to go first."""
    return f"remove {content_name(content_id)} from the backup, and make it again"


def _damaged(vault: Vault, manifest: Manifest) -> list[Problem]:
    problems = []
    for name, part in manifest.parts.items():
        try:
            with vault.open(name) as file:
                found = part_of(file)
        except StorageError as error:
            problems.append(Problem(f"{name}: {error}", _AGAIN))
            continue
        if found != part:
            what = f"{name} is damaged: {found.size} octets of {part.size}, or another SHA-256"
            problems.append(Problem(what, _AGAIN))
    return problems


def _miscounted(connection: apsw.Connection, manifest: Manifest) -> list[Problem]:
    there = counts(connection)
    return [
        Problem(f"there are {there.get(name, 0)} {name}, and there should be {count}", _AGAIN)
        for name, count in manifest.counts.items()
        if there.get(name, count) != count
    ]


def _at_hand(vault: Vault, manifest: Manifest, directory: Path) -> Path:
    """Return the path of the database; that of a tar file is copied out of it."""
    if isinstance(vault, DirectoryVault):
        return vault.path / manifest.database
    path = directory / manifest.database
    with vault.open(manifest.database) as source, path.open("wb") as target:
        while piece := source.read(PIECE_OCTETS):
            target.write(piece)
    return path


def _reader(vault: Vault) -> ReadLarge:
    async def read(ref: ContentRef, begins: int, offset: int, limit: int) -> bytes:
        name = content_name(ref.id)
        with vault.open(name) as file:
            file.seek(0, os.SEEK_END)
            if file.tell() != ref.size:
                raise StorageError(f"{name} has {file.tell()} octets of {ref.size}. It is damaged.")
            file.seek(offset)
            return file.read(limit)

    return read
