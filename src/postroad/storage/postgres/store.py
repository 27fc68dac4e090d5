"""Opens and closes the store in a PostgreSQL database."""

import asyncio
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from postroad.ports import (
    ApiKeyStore,
    Directory,
    EmailStore,
    FigureStore,
    JourneyStore,
    JunkStore,
    LabelStore,
    LoginStore,
    MailboxStore,
    OwnerStore,
    QueueStore,
    SecurityStore,
    SessionStore,
    SourceStore,
    StandingStore,
    StorageError,
    SuppressionStore,
    TemplateStore,
    WebhookStore,
)
from postroad.storage.durable import make_directory
from postroad.storage.files import FileContents
from postroad.storage.large import LargeContents
from postroad.storage.locks import FileLocks
from postroad.storage.postgres.claims import Claims, PostgresDuties, PostgresLocks
from postroad.storage.postgres.contents import PostgresContents
from postroad.storage.postgres.database import Database, InThread, threaded
from postroad.storage.postgres.emails import PostgresEmails
from postroad.storage.postgres.schema import drop_parts, make_parts, prepare
from postroad.storage.postgres.writer import Writer
from postroad.storage.sql.api_keys import SqlApiKeys
from postroad.storage.sql.directory import SqlDirectory
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


class PostgresStore:
    """All storage ports on one database, which any number of nodes share.

    Bound to the event loop in which it was opened. `node` is a name kept in the data directory of this
    machine, under which its server leases deliveries; `owner`, whose contents are in a bucket, and
    `secret` are the same on all nodes.
    """

    def __init__(
        self,
        database: Database,
        directory: Path,
        large: LargeContents,
        node: str,
        *,
        inline_max_octets: int,
        cache_max_octets: int,
        retry_seconds: float,
    ) -> None:
        here = InThread(database)
        self.database = database
        self.large = large
        self.writer = Writer(database, large.remove, retry_seconds=retry_seconds)
        writer = self.writer
        self.content = PostgresContents(
            database, large, inline_max_octets=inline_max_octets, cache_max_octets=cache_max_octets
        )
        self.claims = Claims(database, node)
        self.locks = PostgresLocks(database, self.claims, FileLocks(directory / "locks"))
        self.duties = PostgresDuties(database, self.claims)
        self.ledger = SqlLedger(writer, large.let_go)
        self.journey: JourneyStore = SqlJourney(database)
        self.queue: QueueStore = threaded(database, SqlQueue(here, writer), but=("lease",))
        self.directory: Directory = threaded(database, SqlDirectory(here))
        self.mailboxes: MailboxStore = threaded(database, SqlMailboxes(here))
        self.emails: EmailStore = threaded(database, PostgresEmails(here))
        self.security: SecurityStore = threaded(database, SqlSecurity(here))
        self.logins: LoginStore = threaded(database, SqlLogins(here))
        self.standing: StandingStore = threaded(database, SqlStanding(here))
        self.sources: SourceStore = threaded(database, SqlSources(here))
        self.figures: FigureStore = threaded(database, SqlFigures(here))
        self.junk: JunkStore = threaded(database, SqlJunk(here))
        self.api_keys: ApiKeyStore = threaded(database, SqlApiKeys(here))
        self.sessions: SessionStore = threaded(database, SqlSessions(here))
        self.owners: OwnerStore = threaded(database, SqlOwners(here))
        self.templates: TemplateStore = threaded(database, SqlTemplates(here))
        self.labels: LabelStore = threaded(database, SqlLabels(here))
        self.suppressions: SuppressionStore = threaded(database, SqlSuppressions(here))
        self.webhooks: WebhookStore = threaded(database, SqlWebhooks(here))
        self.node = node
        self.owner = ""
        self.secret = b""
        self._closed = False

    @classmethod
    async def open(
        cls,
        url: str,
        path: Path,
        *,
        inline_max_octets: int = 256 * 1024,
        cache_max_octets: int = 32 * 1024 * 1024,
        retry_seconds: float = 10.0,
        large: Callable[[Path], LargeContents] = FileContents,
    ) -> "PostgresStore":
        """Open the store in the database at `url`, made where it is empty; `path` is the data directory
        of this machine.

        `retry_seconds`: how long commits wait for a database that is away. `large` makes the place of
        large contents, given `path`. Raises `StorageError`.
        """
        database = Database(url, connect_seconds=retry_seconds)
        try:
            await asyncio.to_thread(make_directory, path)
            node = await asyncio.to_thread(node_name, path / "node")
            await database.browse(lambda c: prepare(c, database.name, time.time()))
            store = cls(
                database,
                path,
                large(path),
                node,
                inline_max_octets=inline_max_octets,
                cache_max_octets=cache_max_octets,
                retry_seconds=retry_seconds,
            )
        except BaseException as error:
            await asyncio.to_thread(database.close)
            if isinstance(error, OSError | psycopg.Error):
                raise StorageError(f"{path}: {error}") from error
            raise
        store.owner = await store._setting("owner", f"store-{secrets.token_hex(4)}")
        store.secret = bytes.fromhex(await store._setting("secret", secrets.token_hex(32)))
        return store

    async def prune(self, before: float) -> int:
        """Remove messages accepted and ended before `before`, with their journeys, in small steps.

        Returns how many. Domains, accounts, aliases and mailbox entries are not touched.
        """
        count = await prune(self.database, self.writer, before)
        await self.writer.run(lambda c: _renew_parts(c, before), long=True)
        return count

    async def close(self) -> None:
        """Finish the commits that wait, give back locks, close. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        await self.writer.close()
        self.large.close()
        await asyncio.to_thread(self.locks.close)
        await asyncio.to_thread(self.database.close)

    async def _setting(self, name: str, first: str) -> str:
        """Return what the store knows by that name; `first` from now on where it knows nothing."""

        def know(connection: Any) -> str:
            connection.execute(SQL["setting_init"], (name, first))
            value: str = connection.execute(SQL["setting_get"], (name,)).get
            return value

        value: str = await self.writer.run(know)
        return value


def _renew_parts(connection: Any, before: float) -> None:
    make_parts(connection, time.time())
    drop_parts(connection, before)


def node_name(path: Path, first: str = "") -> str:
    """Return this machine's name, made by whichever of its processes comes first; `first` where it is
    given. Raises `OSError`.
    """
    made = path.with_name(f"node-{secrets.token_hex(4)}")
    if not path.exists():
        made.write_text(first or made.name)
        try:
            os.link(made, path)
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_text().strip()
