"""Templates and their versions."""

import pytest
from msgspec.structs import replace

from postroad.model import (
    Template,
    TemplateActivated,
    TemplateEntry,
    TemplateRemoved,
    TemplateSaved,
    TemplateSource,
)
from postroad.ports import Conflict
from tests.contracts.stores import Store, commit


def template(version: int, name: str = "welcome", *, live: bool = True) -> Template:
    source = TemplateSource("Hello", text=f"version {version}", layout="letterhead")
    return Template(name, version, live, source, '{"a":1}', 50.0 + version, "op")


async def save(store: Store, *templates: Template, keep: int = 9) -> None:
    for each in templates:
        await commit(store, TemplateSaved(each.saved_at, each, keep))


async def test_the_last_that_was_saved_is_live_and_may_be_rolled_back(store: Store) -> None:
    await save(store, template(1), template(2))
    assert await store.templates.live("welcome") == template(2)
    assert await store.templates.get("welcome", 1) == replace(template(1), live=False)
    await commit(store, TemplateActivated(60.0, "welcome", 1, "op"))
    assert await store.templates.live("welcome") == template(1)
    assert await store.templates.get("welcome", 2) == replace(template(2), live=False)
    changes = [event.change for event in await store.journey.after(0)]
    assert changes[-1] == TemplateActivated(60.0, "welcome", 1, "op")


async def test_a_draft_is_not_live(store: Store) -> None:
    await save(store, template(1, live=False))
    assert await store.templates.live("welcome") is None
    await save(store, template(2), template(3, live=False), template(1, "alone"))
    assert await store.templates.live("welcome") == template(2)
    assert [(each.name, each.version, each.live) for each in await store.templates.list()] == [
        ("alone", 1, True),
        ("welcome", 2, True),
    ]
    assert [each.version for each in await store.templates.versions("welcome")] == [3, 2, 1]


async def test_a_name_without_a_live_version_is_listed_by_its_newest(store: Store) -> None:
    await save(store, template(1, live=False), template(2, live=False))
    entry = TemplateEntry("welcome", 2, False, "letterhead", 52.0, "op")
    assert await store.templates.list() == [entry]


async def test_old_versions_go_but_never_the_live_one(store: Store) -> None:
    await save(store, template(1), *(template(each, live=False) for each in range(2, 7)), keep=2)
    assert [each.version for each in await store.templates.versions("welcome")] == [6, 5, 1]


async def test_what_does_not_fit_is_a_conflict(store: Store) -> None:
    await save(store, template(1))
    for change in (
        TemplateSaved(60.0, template(1), 9),
        TemplateSaved(60.0, template(3), 9),
        TemplateActivated(60.0, "welcome", 2, "op"),
        TemplateActivated(60.0, "other", 1, "op"),
        TemplateRemoved(60.0, "other", "op"),
    ):
        with pytest.raises(Conflict):
            await commit(store, change)
    assert await store.templates.live("welcome") == template(1)


async def test_removed_means_all_versions(store: Store) -> None:
    await save(store, template(1), template(2))
    await commit(store, TemplateRemoved(60.0, "welcome", "op"))
    assert await store.templates.list() == []
    assert await store.templates.versions("welcome") == []
    await save(store, template(1))
