"""``postroad serve`` with the shim under it: the real life of a server process, from start to end.

Run as ``python -m tests.violence.launcher CONFIG LIVE PLATTER CONTROL SURVIVE SEED [MUTATION]``. A
mutation breaks one promise of the store on purpose, so that a test can show that it would be seen.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from postroad.ports import MAX_ABOVE_OCTETS
from postroad.runtime.lifecycle import serve
from postroad.storage import durable, files
from postroad.storage.sqlite import checkpoint, database, store
from tests.violence.shim import Control, Platter, install

CHECKPOINT_PAGES = 150  # so that checkpoints, which write more than anything else, are met often


def synchronous_off() -> None:
    """Commits do not wait for the disk."""
    prepare = database._prepare_writer

    def careless(connection: apsw.Connection, path: Path) -> None:
        prepare(connection, path)
        connection.pragma("synchronous", "off")

    _patch(database, "_prepare_writer", careless)


def no_file_sync() -> None:
    """Content files are not synced; their names are."""

    def careless(self: Any, size: int, above: bytes) -> bytes:
        if above:
            self._file.seek(MAX_ABOVE_OCTETS - len(above))
            self._file.write(above)
        self._file.flush()
        durable.sync_directory(self._path.parent)
        durable.sync_directory(self._path.parent.parent)
        return files.digest_of(self._file.fileno(), MAX_ABOVE_OCTETS - len(above))

    _patch(files.FileWriter, "_make_durable", careless)


def no_directory_sync() -> None:
    """Content files are synced; their names are not."""
    _patch(files, "sync_directory", lambda path: None)


def no_folder_sync() -> None:
    """Content files and their names are synced; the names of the folders they are in are not."""

    def careless(path: Path) -> None:
        if path.name != "content":
            durable.sync_directory(path)

    _patch(files, "sync_directory", careless)


def no_store_sync() -> None:
    """All in ``content/`` is synced; its own name is not."""
    _patch(store, "sync_directory", lambda path: None)


MUTATIONS: dict[str, Callable[[], None]] = {
    "synchronous_off": synchronous_off,
    "no_file_sync": no_file_sync,
    "no_directory_sync": no_directory_sync,
    "no_folder_sync": no_folder_sync,
    "no_store_sync": no_store_sync,
}

_patch: Callable[[Any, str, Any], None] = setattr


def main(arguments: list[str]) -> int:
    config, live, platter, control = map(Path, arguments[:4])
    survive, seed = float(arguments[4]), int(arguments[5])
    _patch(checkpoint, "CHECKPOINT_PAGES", CHECKPOINT_PAGES)
    for name in arguments[6:]:
        MUTATIONS[name]()
    disk = Platter(live, platter, survive=survive, seed=seed)
    vfs = install(disk, Control(control))
    assert vfs is not None  # as long as it lives, it is the default
    return serve(config)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
