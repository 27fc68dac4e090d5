"""`ports.WebhookStore`, and how its changes are applied inside the writer's open transaction."""

from typing import Any

import msgspec

from postroad.model import (
    Webhook,
    WebhookAdded,
    WebhookChanged,
    WebhookPost,
    WebhookRemoved,
    WebhookWorked,
)
from postroad.storage.conflicts import no_webhook, webhook_exists
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

_encode = msgspec.json.Encoder().encode
_webhook = msgspec.json.Decoder(Webhook).decode
_post = msgspec.json.Decoder(WebhookPost).decode


class SqlWebhooks:
    """See `ports.WebhookStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Webhook]:
        """Return all webhooks, by name."""
        return [_webhook(text) for (text,) in self._database.read(SQL["webhook_list"], ())]

    async def cursor(self, webhook: int) -> int | None:
        """Return up to where in the journey its posts were made."""
        rows: Any = self._database.read(SQL["webhook_cursor"], (webhook,))
        return int(rows[0][0]) if rows else None

    async def waiting(self, webhook: int, limit: int) -> list[WebhookPost]:
        """Return posts that are not given up."""
        return await self._posts(webhook, 0, limit)

    async def dead(self, webhook: int, limit: int) -> list[WebhookPost]:
        """Return posts that were given up."""
        return await self._posts(webhook, 1, limit)

    async def count(self, webhook: int) -> tuple[int, int]:
        """Return how many posts wait, and how many were given up."""
        waiting: Any = self._database.read(SQL["webhook_post_count"], (webhook, 0))
        dead: Any = self._database.read(SQL["webhook_post_count"], (webhook, 1))
        return waiting[0][0], dead[0][0]

    async def _posts(self, webhook: int, dead: int, limit: int) -> list[WebhookPost]:
        rows: Any = await self._database.browse(
            lambda c: c.execute(SQL["webhook_posts"], (webhook, dead, limit)).fetchall()
        )
        return [_post(text) for (text,) in rows]


def _added(connection: Connection, change: WebhookAdded) -> None:
    hook = change.webhook
    if connection.execute(SQL["webhook_taken"], (hook.name, hook.id)).get is not None:
        raise webhook_exists(hook.name)
    row = (hook.id, hook.name, _encode(hook).decode())
    connection.execute(SQL["webhook_insert"], row)


def _changed(connection: Connection, change: WebhookChanged) -> None:
    hook = change.webhook
    connection.execute(SQL["webhook_update"], (hook.id, hook.name, _encode(hook).decode()))
    if not connection.changes():
        raise no_webhook(hook.name)


def _removed(connection: Connection, change: WebhookRemoved) -> None:
    number: Any = connection.execute(SQL["webhook_delete"], (change.name,)).get
    if number is None:
        raise no_webhook(change.name)
    connection.execute(SQL["webhook_posts_delete"], (number,))


def write_worked(connection: Connection, change: WebhookWorked) -> None:
    """Keep what became of posts."""
    hook = change.webhook
    connection.execute(SQL["webhook_moved"], (hook, change.cursor))
    if not connection.changes():
        return
    rows = [
        (hook, *post.key, int(post.dead_at > 0), _encode(post).decode()) for post in change.posts
    ]
    connection.executemany(SQL["webhook_post_put"], rows)
    connection.executemany(SQL["webhook_post_done"], [(hook, *key) for key in change.done])
    if any(post.dead_at for post in change.posts):
        connection.execute(SQL["webhook_post_keep_dead"], (hook, change.keep_dead))


APPLY: dict[type, Any] = {
    WebhookAdded: _added,
    WebhookChanged: _changed,
    WebhookRemoved: _removed,
}
