"""What one node has for itself for a while, by rows of ``claim``: duties, mailboxes of POP3 sessions.

A claim has an end, by the database's clock, and is moved on while its holder lives; so a node that died,
or cannot reach the database, loses it. Claims are not on the way of mail: taking one is a statement of
its own, without the turn.
"""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import msgspec

from postroad.ports import HOLD_SECONDS, StorageError
from postroad.storage.locks import FileLocks
from postroad.storage.postgres.database import Database

SESSION_SECONDS = 60.0
_RENEW_SECONDS = 15.0
_NODE = "node "


class Claims:
    """Takes and renews claims for one node, which all its processes share."""

    def __init__(self, database: Database, node: str) -> None:
        self._database = database
        self.node = node

    def take(self, name: str, seconds: float) -> bool:
        """Take a claim or move its end on; False where another node has it. Raises `StorageError`."""
        return bool(self._own("claim_take", (name, self.node, seconds)))

    def drop(self, names: Sequence[str]) -> None:
        """Give claims back. Raises `StorageError`."""
        self._own("claim_drop", (self.node, msgspec.json.encode(names).decode()))

    def renew(self, names: Sequence[str], seconds: float) -> None:
        """Move the ends on of those that are still ours. Raises `StorageError`."""
        self._own("claim_renew", (self.node, msgspec.json.encode(names).decode(), seconds))

    def count(self, kind: str) -> int:
        """Return how many claims there are whose names begin so. Raises `StorageError`."""
        ((number,),) = self._own("claim_count", (kind,))
        return int(number)

    def _own(self, statement: str, values: Sequence[object]) -> list[Any]:
        return self._database.attempt(lambda c: c.own(statement, values).fetchall())


class PostgresDuties:
    """See `ports.Duties`."""

    def __init__(self, database: Database, claims: Claims) -> None:
        self._database = database
        self._claims = claims

    async def hold(self, duty: str) -> bool:
        """See `ports.Duties`."""
        claims = self._claims
        return await self._database.elsewhere(lambda: claims.take(f"duty {duty}", HOLD_SECONDS))

    async def drop(self, duty: str) -> None:
        """See `ports.Duties`."""
        await self._database.elsewhere(lambda: self._claims.drop([f"duty {duty}"]))

    async def nodes(self) -> int:
        """See `ports.Duties`."""

        def count() -> int:
            self._claims.take(f"{_NODE}{self._claims.node}", HOLD_SECONDS)
            return max(1, self._claims.count(_NODE))

        return await self._database.elsewhere(count)


class PostgresLocks:
    """See `ports.MailboxLocks`: a lock of this machine, then a claim among all. A claim that cannot be
    renewed in time may go to another session; what both delete is gone once.
    """

    def __init__(self, database: Database, claims: Claims, here: FileLocks) -> None:
        self._database = database
        self._claims = claims
        self._here = here
        self._held: set[int] = set()
        self._leaving: dict[int, Future[None]] = {}
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    async def acquire(self, mailbox: int) -> bool:
        """See `ports.MailboxLocks`."""
        if (leaving := self._leaving.get(mailbox)) is not None:
            await asyncio.wrap_future(leaving)
        if not await self._here.acquire(mailbox):
            return False
        try:
            ours = await self._database.elsewhere(
                lambda: self._claims.take(_of(mailbox), SESSION_SECONDS)
            )
        except BaseException:
            self._here.release(mailbox)
            raise
        if not ours:
            self._here.release(mailbox)
            return False
        self._held.add(mailbox)
        if self._thread is None:
            self._thread = threading.Thread(target=self._renew, name="postroad-claims", daemon=True)
            self._thread.start()
        return True

    def release(self, mailbox: int) -> None:
        """See `ports.MailboxLocks`. Others may have it as soon as the database heard of it."""
        if mailbox in self._held:
            self._held.discard(mailbox)
            self._leaving[mailbox] = self._database.pool.submit(self._give_back, mailbox)

    def close(self) -> None:
        """Give all back."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        held = list(self._held)
        self._held.clear()
        if held:
            self._drop(held)
        self._here.close()

    # In threads.

    def _give_back(self, mailbox: int) -> None:
        # The claim first: while the lock of this machine is held, no other process of it takes both.
        self._drop([mailbox])
        self._here.release(mailbox)
        self._leaving.pop(mailbox, None)

    def _drop(self, mailboxes: Sequence[int]) -> None:
        try:
            self._claims.drop([_of(each) for each in mailboxes])
        except StorageError:
            return  # it runs out

    def _renew(self) -> None:
        while not self._closed.wait(_RENEW_SECONDS):
            held = [_of(each) for each in tuple(self._held)]
            try:
                self._claims.renew(held, SESSION_SECONDS)
            except StorageError:
                continue  # again soon; there is time for that


def _of(mailbox: int) -> str:
    return f"mailbox {mailbox}"
