"""Templates: save versions, look, try, say which one is live, and make the parts of messages of them."""

import re
from typing import Any

import msgspec
from msgspec import Struct

from postroad.message.template.render import check_source
from postroad.model import (
    Group,
    Rendered,
    RenderJob,
    RenderLimits,
    Template,
    TemplateActivated,
    TemplateEntry,
    TemplateRemoved,
    TemplateSaved,
    TemplateSource,
)
from postroad.ports import Clock, Fault, Ledger, Renderer, TemplateFailed, TemplateStore
from postroad.service.errors import Refused

MAX_VERSION = 2**31

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_NO_DATA = "{}"


class TemplateSettings(Struct, frozen=True):
    """See the section `templates` of the configuration, by the same names."""

    max_octets: int = 512 * 1024
    max_data_octets: int = 256 * 1024
    max_templates: int = 1000
    keep_versions: int = 20
    limits: RenderLimits = RenderLimits()


class NoTemplate(Refused):
    """There is no such template, or no such version of it."""


class NotRendered(Refused):
    """A template cannot be rendered as it is, with such data; `fault` says where and why."""

    def __init__(self, name: str, fault: Fault) -> None:
        super().__init__(f"template {name}: {fault}")
        self.fault = fault


class Templates:
    """Steers templates. Works on the store, so it needs no running server.

    `data` and samples are JSON objects, as text.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: TemplateStore,
        clock: Clock,
        renderer: Renderer,
        settings: TemplateSettings,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._renderer = renderer
        self._settings = settings

    async def save(
        self, name: str, source: TemplateSource, *, sample: str = "", live: bool = True, by: str
    ) -> Template:
        """Keep a new version, and make it the live one unless it is a draft. Where there is a sample,
        the version must render with it.

        Raises `Refused` (and so `NotRendered`), `Conflict`, `StorageError`, and `OSError` as `Renderer`.
        """
        if not _NAME.fullmatch(name):
            raise Refused(
                f"{name!r} is no name of a template: these are of a-z, 0-9, '.', '-' and '_', at most "
                "64 letters"
            )
        octets = source.octets + len(sample.encode("utf-8", "replace"))
        if octets > self._settings.max_octets:
            raise Refused(f"{octets} octets; templates.max_octets is {self._settings.max_octets}")
        versions = await self._store.versions(name)
        if not versions and len(await self._store.list()) >= self._settings.max_templates:
            raise Refused(
                f"there are {self._settings.max_templates} templates, see templates.max_templates"
            )
        sample = _object(sample, "sample").decode() if sample else ""
        now = self._clock.now()
        new = versions[0].version + 1 if versions else 1
        template = Template(name, new, live, source, sample, now, by)
        await self._render(template, sample or _NO_DATA, by, trying=not sample)
        change = TemplateSaved(now, template, self._settings.keep_versions)
        await self._ledger.commit(Group((change,)))
        return template

    async def show(self, name: str, version: int | None = None) -> Template:
        """Return a version; without `version` the live one, or else the newest. Raises `Refused`."""
        if version is None:
            found = await self._store.live(name)
            if found is not None:
                return found
            versions = await self._store.versions(name)
            version = versions[0].version if versions else 0
        found = None
        if 0 < version <= MAX_VERSION:
            found = await self._store.get(name, version)
        if found is None:
            what = f"no version {version} of the template" if version else "no template"
            raise NoTemplate(f"there is {what} {name!r}; see: postroad template list")
        return found

    async def versions(self, name: str) -> list[TemplateEntry]:
        """Return the versions of a name, the newest first. Raises `Refused` where there is none."""
        await self.show(name)
        return await self._store.versions(name)

    async def list(self) -> list[TemplateEntry]:
        """Return the templates by name, each by its live version, or else its newest."""
        return await self._store.list()

    async def preview(
        self, name: str, version: int | None = None, data: str | None = None, *, by: str = ""
    ) -> Rendered:
        """Render a version (as `show` finds it) with data, or with its sample. Raises as `save`."""
        template = await self.show(name, version)
        if data is None:
            data = template.sample or _NO_DATA
        return await self._render(template, data, by)

    async def render(self, name: str, data: str, *, by: str = "") -> Rendered:
        """Render the live version of a template: what messages are made of. `by` is who asks.

        Raises `Refused` (and so `NotRendered`), `StorageError`, and `OSError` as `Renderer`.
        """
        template = await self._store.live(name)
        if template is None:
            raise NoTemplate(f"there is no live template {name!r}; see: postroad template list")
        return await self._render(template, data, by)

    async def activate(self, name: str, version: int, *, by: str) -> None:
        """Make a version the live one: also the way back. Raises `Conflict`, `StorageError`."""
        change = TemplateActivated(self._clock.now(), name, version, by)
        await self._ledger.commit(Group((change,)))

    async def remove(self, name: str, *, by: str) -> None:
        """Remove a template with all versions. Raises `Refused` where another one has it as its layout,
        `Conflict`, `StorageError`.
        """
        users = [each.name for each in await self._store.list() if each.layout == name]
        if users:
            raise Refused(f"{name} is the layout of {', '.join(users[:5])}; change these first")
        await self._ledger.commit(Group((TemplateRemoved(self._clock.now(), name, by),)))

    async def _render(
        self, template: Template, data: str, by: str, *, trying: bool = False
    ) -> Rendered:
        source, layout = template.source, None
        if source.layout:
            found = await self._store.live(source.layout)
            if found is None or source.layout == template.name:
                raise Refused(
                    f"the layout {source.layout!r} of {template.name} is no live template"
                )
            layout = found.source
        octets = len(data.encode("utf-8", "replace"))
        if octets > self._settings.max_data_octets:
            raise Refused(
                f"{octets} octets of data; templates.max_data_octets is "
                f"{self._settings.max_data_octets}"
            )
        raw = msgspec.Raw(_object(data, "data"))
        try:
            check_source(source, layout)
            job = RenderJob(source, layout, raw, self._settings.limits)
            return await self._renderer.render(job, by)
        except TemplateFailed as error:
            if trying and error.fault.variable:
                return Rendered(
                    "", "", ""
                )  # nobody gave data: what is wrong with the rest is known
            raise NotRendered(template.name, error.fault) from None


def _object(text: str, what: str) -> bytes:
    """Return a JSON object in the way we write it. Raises `Refused` where it is none."""
    try:
        found: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Refused(f"the {what} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Refused(f"the {what} must be a JSON object, like {{...}}")
    return msgspec.json.encode(found)
