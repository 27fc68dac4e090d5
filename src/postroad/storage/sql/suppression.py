"""`ports.SuppressionStore`, and how what came back is written inside the writer's open transaction."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace

from postroad.model import (
    Address,
    Bounced,
    Clicked,
    Complained,
    Opened,
    Suppressed,
    Suppression,
    SuppressionReason,
    Unsubscribed,
    Unsuppressed,
)
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

OfAMessage: TypeAlias = Bounced | Complained | Opened | Clicked | Unsubscribed

_encode = msgspec.json.Encoder().encode
_decode: msgspec.json.Decoder[Address] = msgspec.json.Decoder(Address)


class SqlSuppressions:
    """See `ports.SuppressionStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, stream: str, addresses: Sequence[Address]) -> list[Suppression]:
        """Return what stands against these addresses."""
        read = self._database.read
        return [
            _suppression(row)
            for address in addresses
            for row in read(SQL["suppression_of"], (stream, address.folded))
        ]

    async def page(
        self,
        stream: str | None = None,
        *,
        address: str | None = None,
        after: tuple[str, str] = ("", ""),
        limit: int = 1000,
    ) -> list[Suppression]:
        """Return entries by stream and folded address."""
        whole = None if address is None or address.startswith("@") else address
        domain = address[1:] if address is not None and address.startswith("@") else None
        values = (*after, stream, whole, domain, limit)
        rows: Any = await self._database.browse(
            lambda c: c.execute(SQL["suppression_page"], values).fetchall()
        )
        return [_suppression(row) for row in rows]


def _suppression(row: Any) -> Suppression:
    address, stream, reason, evidence, since = row
    return Suppression(_decode.decode(address), stream, SuppressionReason(reason), evidence, since)


def write_suppressed(connection: Connection, change: Suppressed) -> Suppressed | None:
    """Add entries; return the change with those that were not there before, None without any."""
    fresh: list[Suppression] = []
    for each in change.suppressions:
        address = each.address
        row = (
            each.stream,
            address.folded,
            address.domain,
            _encode(address).decode(),
            each.reason.value,
            each.evidence,
            each.since,
        )
        connection.execute(SQL["suppression_put"], row)
        if connection.changes():
            fresh.append(each)
    return replace(change, suppressions=tuple(fresh)) if fresh else None


def write_unsuppressed(connection: Connection, change: Unsuppressed) -> Unsuppressed | None:
    """Remove entries; return the change with those that were there, None without any."""
    gone: list[Address] = []
    for address in change.addresses:
        connection.execute(SQL["suppression_delete"], (change.stream, address.folded))
        if connection.changes():
            gone.append(address)
    return replace(change, addresses=tuple(gone)) if gone else None


def is_known(connection: Connection, change: OfAMessage) -> bool:
    """Whether the message that it is about is still known; else nobody could read of it."""
    return connection.execute(SQL["message_get"], (change.message,)).get is not None
