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
from postroad.storage.sqlite import (
    checkpoint,
    connecting,
    database,
    store,
    writer_link,
    writer_process,
)
from tests.violence.shim import Control, Platter, install

CHECKPOINT_PAGES = 150  # so that checkpoints, which write more than anything else, are met often


def synchronous_off() -> None:
    """Commits do not wait for the disk."""

    def careless(connection: apsw.Connection) -> None:
        connecting.make_durable(connection)
        connection.pragma("synchronous", "off")

    _patch(database, "make_durable", careless)
    _patch(writer_process, "make_durable", careless)


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
    """A server; or, behind ``--writer``, the process that writes for it (the last argument: where)."""
    writer = arguments[0] == "--writer"
    config, live, platter, control = map(Path, arguments[1:5] if writer else arguments[:4])
    survive, seed, *mutations = arguments[5:-1] if writer else arguments[4:]
    _patch(checkpoint, "CHECKPOINT_PAGES", CHECKPOINT_PAGES)
    _patch(connecting, "CHECKPOINT_PAGES", CHECKPOINT_PAGES)
    for name in mutations:
        MUTATIONS[name]()
    disk = Platter(live, platter, survive=float(survive), seed=int(seed) + writer)
    vfs = install(disk, Control(control))
    assert vfs is not None  # as long as it lives, it is the default
    if writer:
        return writer_process.main(arguments[-1:])
    again = (sys.executable, "-m", "tests.violence.launcher", "--writer", *arguments)
    _patch(writer_link, "COMMAND", again)
    return serve(config)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
