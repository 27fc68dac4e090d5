"""The store of one machine: an SQLite file in WAL mode, written by one writer with group commit,
and a directory of files for large contents. Import from here: ``SqliteStore``.

Any I/O error becomes a `ports.StorageError` that names the file and what to do about it.
"""

from postroad.storage.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
