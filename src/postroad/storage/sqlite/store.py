"""Opens and closes the SQLite store of one data directory."""

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path

from postroad.storage.durable import sync_directory
from postroad.storage.duties import AllOurs
from postroad.storage.files import FileContents
from postroad.storage.large import LargeContents
from postroad.storage.locks import FileLocks
from postroad.storage.sql.api_keys import SqlApiKeys
from postroad.storage.sql.content import SqlContents
from postroad.storage.sql.directory import SqlDirectory
from postroad.storage.sql.emails import SqlEmails
from postroad.storage.sql.figures import SqlFigures
from postroad.storage.sql.journey import SqlJourney, prune
from postroad.storage.sql.junk import SqlJunk
from postroad.storage.sql.labels import SqlLabels
from postroad.storage.sql.ledger import SqlLedger
from postroad.storage.sql.logins import SqlLogins
from postroad.storage.sql.mailboxes import SqlMailboxes
from postroad.storage.sql.owners import SqlOwners
from postroad.storage.sql.queue import SqlQueue
from postroad.storage.sql.security import SqlSecurity
from postroad.storage.sql.sessions import SqlSessions
from postroad.storage.sql.sources import SqlSources
from postroad.storage.sql.standing import SqlStanding
from postroad.storage.sql.statements import SQL
from postroad.storage.sql.suppression import SqlSuppressions
from postroad.storage.sql.templates import SqlTemplates
from postroad.storage.sql.webhooks import SqlWebhooks
from postroad.storage.sqlite.database import Database
from postroad.storage.sqlite.writer import Writer

FILE_NAME = "postroad.db"


class SqliteStore:
    """All storage ports on one data directory: ``postroad.db``, ``content/``, ``locks/``.

    Bound to the event loop in which it was opened. Several processes may have it open. `node` is a
    name made when the store was made: the name under which its server leases deliveries. `secret` was
    made then too: what is derived from it nobody can guess, and it stays the same.
    """

    def __init__(
        self,
        database: Database,
        directory: Path,
        large: LargeContents,
        *,
        inline_max_octets: int,
        cache_max_octets: int,
        writer_process: bool,
    ) -> None:
        self.content = SqlContents(
            database,
            large,
            inline_max_octets=inline_max_octets,
            cache_max_octets=cache_max_octets,
        )
        self.locks = FileLocks(directory / "locks")
        self.duties = AllOurs()
        self.database = database
        self.large = large
        self.writer = Writer(database, large.remove, apart=writer_process)
        self.ledger = SqlLedger(self.writer, large.let_go)
        self.queue = SqlQueue(database, self.writer)
        self.directory = SqlDirectory(database)
        self.mailboxes = SqlMailboxes(database)
        self.emails = SqlEmails(database)
        self.journey = SqlJourney(database)
        self.security = SqlSecurity(database)
        self.logins = SqlLogins(database)
        self.standing = SqlStanding(database)
        self.sources = SqlSources(database)
        self.figures = SqlFigures(database)
        self.junk = SqlJunk(database)
        self.api_keys = SqlApiKeys(database)
        self.sessions = SqlSessions(database)
        self.owners = SqlOwners(database)
        self.templates = SqlTemplates(database)
        self.webhooks = SqlWebhooks(database)
        self.labels = SqlLabels(database)
        self.suppressions = SqlSuppressions(database)
        self.node = ""
        self.secret = b""
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        inline_max_octets: int = 256 * 1024,
        cache_max_octets: int = 32 * 1024 * 1024,
        busy_timeout_seconds: float = 10.0,
        large: Callable[[Path], LargeContents] = FileContents,
        writer_process: bool = False,
    ) -> "SqliteStore":
        """Open the store in the directory `path`; make or migrate it where needed.

        `large` makes the place of large contents, given `path`. `writer_process`: what is frequent is
        written by a process of its own, which pays where there is much of it.
        Raises `StorageError` naming the file and what to do.
        """
        database = await asyncio.to_thread(
            Database, path / FILE_NAME, busy_timeout_seconds=busy_timeout_seconds
        )
        try:
            store = cls(
                database,
                path,
                large(path),
                inline_max_octets=inline_max_octets,
                cache_max_octets=cache_max_octets,
                writer_process=writer_process,
            )
            # The names of all that was just made, or by an earlier life that did not come to this.
            await asyncio.to_thread(sync_directory, path)
        except OSError as error:
            database.close()
            raise database.storage_error(error) from error
        store.node = await store._setting("node", f"node-{secrets.token_hex(4)}")
        store.secret = bytes.fromhex(await store._setting("secret", secrets.token_hex(32)))
        return store

    @property
    def owner(self) -> str:
        """Whose contents are in a bucket: this store's, wherever it moves."""
        return self.node

    async def prune(self, before: float) -> int:
        """Remove messages accepted and ended before `before`, with their journeys, in small steps.

        Returns how many. Domains, accounts, aliases and mailbox entries are not touched.
        """
        return await prune(self.database, self.writer, before)

    async def close(self) -> None:
        """Finish the commits that wait, give back locks, close. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        await self.writer.close()
        self.large.close()
        self.locks.close()
        await asyncio.to_thread(self.database.close)

    async def _setting(self, name: str, first: str) -> str:
        """Return what the store knows by that name; `first` from now on where it knows nothing."""
        if not (rows := self.database.read(SQL["setting_get"], (name,))):
            await self.writer.run(lambda c: c.execute(SQL["setting_init"], (name, first)).get)
            rows = self.database.read(SQL["setting_get"], (name,))
        value: str = rows[0][0]
        return value
