"""`ports.TemplateStore`, and how its changes are applied inside the writer's open transaction."""

from typing import Any

import msgspec

from postroad.model import (
    Template,
    TemplateActivated,
    TemplateEntry,
    TemplateRemoved,
    TemplateSaved,
    TemplateSource,
)
from postroad.storage.conflicts import no_template, template_moved_on
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

_encode = msgspec.json.Encoder().encode
_source: msgspec.json.Decoder[TemplateSource] = msgspec.json.Decoder(TemplateSource)


class SqlTemplates:
    """See `ports.TemplateStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def live(self, name: str) -> Template | None:
        """Return the version that messages are made of."""
        return self._one("template_live", (name,))

    async def get(self, name: str, version: int) -> Template | None:
        """Return a version."""
        return self._one("template_get", (name, version))

    async def versions(self, name: str) -> list[TemplateEntry]:
        """Return the versions of a name, the newest first."""
        return [_entry(row) for row in self._database.read(SQL["template_versions"], (name,))]

    async def list(self) -> list[TemplateEntry]:
        """Return one version for each name, by name: the live one, or else the newest."""
        return [_entry(row) for row in self._database.read(SQL["template_list"], ())]

    def _one(self, statement: str, values: tuple[Any, ...]) -> Template | None:
        rows = self._database.read(SQL[statement], values)
        if not rows:
            return None
        name, version, live, source, sample, saved_at, author = rows[0]
        return Template(name, version, bool(live), _source.decode(source), sample, saved_at, author)


def _entry(row: Any) -> TemplateEntry:
    name, version, live, layout, saved_at, author = row
    return TemplateEntry(name, version, bool(live), layout, saved_at, author)


def _saved(connection: Connection, change: TemplateSaved) -> None:
    new = change.template
    if connection.execute(SQL["template_newest"], (new.name,)).get != new.version - 1:
        raise template_moved_on(new.name)
    if new.live:
        connection.execute(SQL["template_not_live"], (new.name,))
    row = (
        new.name,
        new.version,
        int(new.live),
        new.source.layout,
        _encode(new.source).decode(),
        new.sample,
        new.saved_at,
        new.by,
    )
    connection.execute(SQL["template_insert"], row)
    connection.execute(SQL["template_prune"], (new.name, change.keep))


def _activated(connection: Connection, change: TemplateActivated) -> None:
    connection.execute(SQL["template_not_live"], (change.name,))
    connection.execute(SQL["template_live_set"], (change.name, change.version))
    if not connection.changes():
        raise no_template(change.name, change.version)


def _removed(connection: Connection, change: TemplateRemoved) -> None:
    connection.execute(SQL["template_delete"], (change.name,))
    if not connection.changes():
        raise no_template(change.name)


APPLY: dict[type, Any] = {
    TemplateSaved: _saved,
    TemplateActivated: _activated,
    TemplateRemoved: _removed,
}
