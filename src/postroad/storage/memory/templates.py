"""`ports.TemplateStore` in memory, and how its changes are applied."""

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from postroad.model import (
    Template,
    TemplateActivated,
    TemplateEntry,
    TemplateRemoved,
    TemplateSaved,
)
from postroad.storage.conflicts import no_template, template_moved_on
from postroad.storage.memory.state import State

if TYPE_CHECKING:
    from postroad.storage.memory.apply import Application


class MemoryTemplates:
    """See `ports.TemplateStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def live(self, name: str) -> Template | None:
        """Return the version that messages are made of."""
        return next((each for each in self._state.templates.get(name, ()) if each.live), None)

    async def get(self, name: str, version: int) -> Template | None:
        """Return a version."""
        versions = self._state.templates.get(name, ())
        return next((each for each in versions if each.version == version), None)

    async def versions(self, name: str) -> list[TemplateEntry]:
        """Return the versions of a name, the newest first."""
        return [_entry(each) for each in reversed(self._state.templates.get(name, ()))]

    async def list(self) -> list[TemplateEntry]:
        """Return one version for each name, by name: the live one, or else the newest."""
        found = []
        for _, versions in sorted(self._state.templates.items()):
            found.append(max(versions, key=lambda each: (each.live, each.version)))
        return [_entry(each) for each in found]


def _entry(each: Template) -> TemplateEntry:
    return TemplateEntry(
        each.name, each.version, each.live, each.source.layout, each.saved_at, each.by
    )


def _saved(do: "Application", change: TemplateSaved) -> None:
    new, tables = change.template, do.state.templates
    versions = tables.get(new.name, ())
    if new.version != (versions[-1].version + 1 if versions else 1):
        raise template_moved_on(new.name)
    if new.live:
        versions = tuple(replace(each, live=False) for each in versions)
    versions = (*versions, new)
    oldest = len(versions) - change.keep
    kept = tuple(each for place, each in enumerate(versions) if place >= oldest or each.live)
    do.undo.put(tables, new.name, kept)
    do.note(change)


def _activated(do: "Application", change: TemplateActivated) -> None:
    versions = do.state.templates.get(change.name, ())
    if all(each.version != change.version for each in versions):
        raise no_template(change.name, change.version)
    made = tuple(replace(each, live=each.version == change.version) for each in versions)
    do.undo.put(do.state.templates, change.name, made)
    do.note(change)


def _removed(do: "Application", change: TemplateRemoved) -> None:
    if change.name not in do.state.templates:
        raise no_template(change.name)
    do.undo.delete(do.state.templates, change.name)
    do.note(change)


APPLY: dict[type, Any] = {
    TemplateSaved: _saved,
    TemplateActivated: _activated,
    TemplateRemoved: _removed,
}
