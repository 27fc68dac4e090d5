"""Directories that a power cut does not take away with everything in them.

A new name is on stable storage only when the directory that it stands in has been synced: a file that
was synced itself can be lost because the directory above its own never was.
"""

import os
from pathlib import Path


def sync_directory(path: Path) -> None:
    """Return when all names in the directory are on stable storage. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directory(path: Path) -> None:
    """Make a directory (0700) and what is missing above it; the names of what was made are on stable
    storage on return. What is there already is left alone. Raises `OSError`.
    """
    missing = []
    above = path
    while not above.exists():
        missing.append(above)
        above = above.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        sync_directory(each.parent)
