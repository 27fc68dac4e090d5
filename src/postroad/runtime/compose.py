"""A whole mail server as one value: the only place that joins the rooms.

::

    async with System.open(config) as system:
        await system.start()
        system.listening["submission"]   # [("127.0.0.1", 5587)]
        await system.stop(grace_seconds=10)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from postroad.ports import Clock, Entropy, Network, Resolver
from postroad.queue import Queue
from postroad.runtime.config import Config
from postroad.runtime.office import Office
from postroad.service.accounts import Accounts
from postroad.service.desk import QueueDesk
from postroad.service.domains import Aliases, Domains
from postroad.service.intake import Intake
from postroad.service.journeys import Journeys
from postroad.storage.sqlite.store import SqliteStore


class System:
    """Everything of one server process.

    `listening` holds, per service (``mx``, ``submission``, ``submissions``, ``pop3``, ``pop3s``), the
    addresses and ports that are really bound; a port of 0 in the configuration is chosen by the
    system. `local_socket` is the path of the sendmail command's socket, if there is one.
    """

    config: Config
    office: Office
    store: SqliteStore
    accounts: Accounts
    domains: Domains
    aliases: Aliases
    desk: QueueDesk
    journeys: Journeys
    intake: Intake
    queue: Queue
    listening: dict[str, list[tuple[str, int]]]
    local_socket: str | None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        config: Config,
        *,
        resolver: Resolver | None = None,
        network: Network | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
    ) -> AsyncIterator["System"]:
        """Open the store and build everything; nothing listens yet. Leaving stops what runs.

        Raises `StorageError`, `TlsFilesInvalid`, `OSError` (a file that cannot be read).
        """
        raise NotImplementedError
        yield

    async def bind(self) -> None:
        """Bind all ports without taking connections yet. Raises `CannotListen` for all at once."""
        raise NotImplementedError

    async def start(self) -> None:
        """Bind what is not bound yet, take connections, run the queue."""
        raise NotImplementedError

    async def stop(self, grace_seconds: float | None = None) -> None:
        """Take no more connections, let what is in flight end, cut the rest; safe to call twice."""
        raise NotImplementedError

    async def reload(self, config: Config | None = None) -> None:
        """Read the certificate anew, and use `config` for new connections; no connection is dropped.

        Raises what `open` raises, and then everything stays as it was.
        """
        raise NotImplementedError
