"""`ports.ApiKeyStore`, and how its changes are applied inside the writer's open transaction."""

from typing import Any

import msgspec

from postroad.model import ApiKey, ApiKeyAdded, ApiKeyRemoved, ApiScope
from postroad.storage.conflicts import api_key_exists, no_api_key
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

_encode = msgspec.json.Encoder().encode
_scopes: msgspec.json.Decoder[tuple[ApiScope, ...]] = msgspec.json.Decoder(tuple[ApiScope, ...])
_domains: msgspec.json.Decoder[tuple[str, ...]] = msgspec.json.Decoder(tuple[str, ...])


class SqlApiKeys:
    """See `ports.ApiKeyStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: int) -> ApiKey | None:
        """Return a key by its id."""
        rows = self._database.read(SQL["api_key_get"], (key,))
        return _key(rows[0]) if rows else None

    async def list(self) -> list[ApiKey]:
        """Return all keys, by name."""
        return [_key(row) for row in self._database.read(SQL["api_key_list"], ())]


def _key(row: Any) -> ApiKey:
    number, name, scopes, domains, digest, created_at = row
    return ApiKey(
        number, name, _scopes.decode(scopes), _domains.decode(domains), digest, created_at
    )


def _added(connection: Connection, change: ApiKeyAdded) -> None:
    key = change.key
    if connection.execute(SQL["api_key_taken"], (key.name, key.id)).get is not None:
        raise api_key_exists(key.name)
    row = (
        key.id,
        key.name,
        _encode(key.scopes).decode(),
        _encode(key.domains).decode(),
        key.digest,
        key.created_at,
    )
    connection.execute(SQL["api_key_insert"], row)


def _removed(connection: Connection, change: ApiKeyRemoved) -> None:
    connection.execute(SQL["api_key_delete"], (change.name,))
    if not connection.changes():
        raise no_api_key(change.name)


APPLY: dict[type, Any] = {ApiKeyAdded: _added, ApiKeyRemoved: _removed}
