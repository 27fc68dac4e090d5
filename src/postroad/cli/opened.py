"""Running a command on the store of a server, whether that server runs or not."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from postroad.runtime.office import Office

T = TypeVar("T")


def in_office(path: Path | None, use: Callable[["Office"], Awaitable[T]]) -> T:
    """Load the configuration, open the store, and return what `use` returns."""
    from postroad.runtime.config import load_config
    from postroad.runtime.lifecycle import run
    from postroad.runtime.office import Office
    from postroad.runtime.privileges import become_owner

    config = load_config(path)
    become_owner(config.server.data_dir)

    async def main() -> T:
        async with Office.open(config) as office:
            return await use(office)

    result: T = run(main())
    return result


def operator() -> str:
    """Return who gives the command, for the journey."""
    import getpass
    import os

    name = os.environ.get("SUDO_USER") or ""
    if not name:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            name = str(os.getuid())
    return f"{name} (command)"
