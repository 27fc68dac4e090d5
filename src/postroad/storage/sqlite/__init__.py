"""The store of one machine: an SQLite file in WAL mode, written by one writer with group commit,
and a directory of files for large contents. `store` has it: ``SqliteStore``.

Any I/O error becomes a `ports.StorageError` that names the file and what to do about it. (Nothing is
imported here: the process that writes needs but little of this.)
"""
