"""Templates: versions, samples, layouts, and what is refused."""

import pytest

from postroad.message.template import render
from postroad.model import Rendered, RenderJob, TemplateSource
from postroad.ports import Conflict
from postroad.service.errors import Refused
from postroad.service.templates import NoTemplate, NotRendered, Templates, TemplateSettings
from postroad.storage.memory import MemoryStore
from tests.unit.service.fakes import FakeClock


class HereAndNow:
    """Renders in this process."""

    async def render(self, job: RenderJob, owner: str) -> Rendered:
        return render(job)

    async def close(self) -> None:
        pass


def desk(settings: TemplateSettings | None = None) -> Templates:
    store = MemoryStore()
    return Templates(
        ledger=store.ledger,
        store=store.templates,
        clock=FakeClock(),
        renderer=HereAndNow(),
        settings=settings or TemplateSettings(),
    )


HI = TemplateSource("Hi {{ name }}", html="<p>{{ name }}</p>")


async def test_messages_are_made_of_the_live_version() -> None:
    templates = desk()
    await templates.save("hi", HI, by="op")
    assert (await templates.render("hi", '{"name": "A&B"}')).html == "<p>A&amp;B</p>"
    saved = await templates.save("hi", TemplateSource("New", text="new"), live=False, by="op")
    assert (saved.version, saved.live) == (2, False)
    assert (await templates.render("hi", '{"name": "x"}')).subject == "Hi x"
    await templates.activate("hi", 2, by="op")
    assert (await templates.render("hi", "{}")).subject == "New"
    await templates.activate("hi", 1, by="op")
    assert (await templates.show("hi")).version == 1
    assert [each.version for each in await templates.versions("hi")] == [2, 1]


async def test_a_version_must_render_with_its_sample() -> None:
    templates = desk()
    with pytest.raises(NotRendered) as caught:
        await templates.save("hi", HI, sample='{"nam": 1}', by="op")
    assert caught.value.fault.variable == "name"
    assert await templates.list() == []
    await templates.save("hi", HI, sample='{ "name": "Ann" }', by="op")
    assert (await templates.preview("hi")).text == "Ann"
    assert (await templates.preview("hi", data='{"name": "Bob"}')).text == "Bob"
    assert (await templates.preview("hi", 1)).subject == "Hi Ann"


async def test_without_a_sample_only_a_missing_variable_passes() -> None:
    templates = desk()
    for source in (
        TemplateSource("s", text="{% if %}"),
        TemplateSource("s"),
        TemplateSource("s", html="a", mjml="b"),
        TemplateSource("s", mjml="<p>"),
    ):
        with pytest.raises(NotRendered):
            await templates.save("hi", source, by="op")
    await templates.save("hi", HI, by="op")
    with pytest.raises(NotRendered, match="subject, line 1"):
        await templates.preview("hi")


async def test_a_layout_is_the_live_version_of_another_template() -> None:
    templates = desk()
    wanted = TemplateSource("s", html="<p>{{ name }}</p>", layout="frame")
    with pytest.raises(Refused, match="no live template"):
        await templates.save("hi", wanted, by="op")
    await templates.save("frame", TemplateSource(html="1{{ content }}"), by="op")
    await templates.save("hi", wanted, by="op")
    await templates.save("frame", TemplateSource(html="2{{ content }}"), by="op")
    assert (await templates.render("hi", '{"name": "x"}')).html == "2<p>x</p>"
    with pytest.raises(Refused, match="layout of hi"):
        await templates.remove("frame", by="op")
    await templates.remove("hi", by="op")
    await templates.remove("frame", by="op")
    with pytest.raises(Refused):
        await templates.save("me", TemplateSource(html="x", layout="me"), by="op")


async def test_what_is_not_there() -> None:
    templates = desk()
    await templates.save("draft", TemplateSource(text="x"), live=False, by="op")
    assert (await templates.show("draft")).version == 1
    for wanted in (
        templates.show("other"),
        templates.show("draft", 2),
        templates.versions("other"),
        templates.preview("other"),
        templates.render("draft", "{}"),
    ):
        with pytest.raises(NoTemplate):
            await wanted
    for change in (
        templates.activate("draft", 2, by="op"),
        templates.remove("other", by="op"),
    ):
        with pytest.raises(Conflict):
            await change


@pytest.mark.parametrize("name", ["", "A", "a b", "../a", "a" * 65, "a\n", ".a", "ä"])
async def test_names(name: str) -> None:
    with pytest.raises(Refused, match="no name"):
        await desk().save(name, HI, by="op")


async def test_limits() -> None:
    templates = desk(TemplateSettings(max_octets=100, max_data_octets=20, max_templates=1))
    with pytest.raises(Refused, match="max_octets"):
        await templates.save("hi", TemplateSource(text="ü" * 51), by="op")
    await templates.save("hi", HI, by="op")
    await templates.save("hi", HI, by="op")
    with pytest.raises(Refused, match="max_templates"):
        await templates.save("ho", HI, by="op")
    with pytest.raises(Refused, match="max_data_octets"):
        await templates.render("hi", '{"name": "' + "x" * 20 + '"}')
    few = desk(TemplateSettings(keep_versions=2))
    for _ in range(5):
        await few.save("hi", HI, by="op")
    assert [each.version for each in await few.versions("hi")] == [5, 4]


@pytest.mark.parametrize("data", ["[1]", "x", "", '"a"', "[" * 100_000, "\ud800"])
async def test_data_is_an_object(data: str) -> None:
    templates = desk()
    await templates.save("hi", HI, by="op")
    with pytest.raises(Refused, match="data"):
        await templates.render("hi", data)
