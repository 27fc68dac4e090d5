"""The modules in the directory of an operator's checks (`policy.path`), read anew when files changed.

As long as no file changed, a reload leaves the modules as they are, with what they remember. If one did,
all of the directory are imported again, for they may use each other; where that fails, the old ones
stay.
"""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

Stamp: TypeAlias = tuple[int, int, int]

_places: list[str] = []
_read: dict[str, Stamp] = {}
"""The directory, and the files that its modules in `sys.modules` came from, as they were then; for the
whole process, as that is.
"""


class ImportFailed(Exception):
    """The message says what a module raised."""


@contextmanager
def house_modules(directory: Path | None) -> Iterator[None]:
    """Within, `import_module` finds the modules in that directory as its files are now.

    Those of another directory that was named before are forgotten. Whatever is raised within has all of
    them stay as they were.
    """
    places = [] if directory is None else [str(directory)]
    moved = [each for each in _places if each not in places]
    before = _modules_in([*places, *moved])
    path = list(sys.path)
    if moved or any(_read.get(file) != _stamp(file) for _, file in before.values()):
        _forget(before)
    sys.path[:] = [*places, *(each for each in path if each not in (*places, *moved))]
    writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # it is by the second only
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        sys.path[:] = path
        _forget(_modules_in([*places, *moved]))
        sys.modules.update({name: module for name, (module, _) in before.items()})
        raise
    finally:
        sys.dont_write_bytecode = writes_none
    _places[:] = places
    _read.clear()
    _read.update({file: _stamp(file) for _, file in _modules_in(places).values()})


def import_module(name: str) -> ModuleType:
    """Import a module of an operator. Raises `ImportFailed`."""
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever it raises
        raise ImportFailed(f"{type(error).__name__}: {error}".rstrip(": ")) from error


def _modules_in(places: list[str]) -> dict[str, tuple[ModuleType, str]]:
    found = {}
    inside = tuple(
        f"{place}{os.sep}" for each in places for place in (each, os.path.realpath(each))
    )
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(inside):
            found[name] = (module, file)
    return found


def _forget(modules: dict[str, tuple[ModuleType, str]]) -> None:
    for name in modules:
        sys.modules.pop(name, None)


def _stamp(file: str) -> Stamp:
    try:
        found = Path(file).stat()
    except OSError:
        return (0, 0, 0)  # it is gone
    return (found.st_ino, found.st_mtime_ns, found.st_size)
