"""Templates: what goes in and comes out, and the calls about them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from postroad.client import call
from postroad.client.call import Call, part

_PATH = "/templates"


class TemplateDraft(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A version to save. One of `html`, `mjml` and `text` is needed; `layout` is the name of a template
    to stand around it, `sample` is data that it must render with. Unless `live`, it is a draft.
    """

    subject: str = ""
    html: str = ""
    mjml: str = ""
    text: str = ""
    layout: str = ""
    sample: Mapping[str, Any] | None = None
    live: bool = True


class TemplateEntry(Struct, frozen=True):
    """A version as lists show it."""

    name: str
    version: int
    live: bool
    layout: str
    saved_at: datetime
    by: str


class Template(Struct, frozen=True, kw_only=True):
    """A version as it was written."""

    name: str
    version: int
    live: bool
    subject: str
    html: str
    mjml: str
    text: str
    layout: str
    sample: dict[str, Any] | None = None
    saved_at: datetime
    by: str


class Rendered(Struct, frozen=True):
    """What comes of a template."""

    subject: str
    html: str
    text: str


class TemplateEntries(Struct, frozen=True):
    """Templates, or versions of one."""

    templates: list[TemplateEntry]


def list_() -> Call[TemplateEntries]:
    """The templates by name."""
    return call.get(_PATH, TemplateEntries)


def show(name: str, version: int | None) -> Call[Template]:
    """A version as it was written."""
    return call.get(_path(name), Template, version=None if version is None else str(version))


def versions(name: str) -> Call[TemplateEntries]:
    """The versions of one."""
    return call.get(f"{_path(name)}/versions", TemplateEntries)


def save(name: str, draft: TemplateDraft) -> Call[Template]:
    """A new version. It is not asked again where no answer came: that would make another."""
    return call.post(_path(name), Template, draft, method="PUT")


def preview(name: str, data: Mapping[str, Any] | None, version: int | None) -> Call[Rendered]:
    """What would come of it."""
    asked = {"data": data, "version": version}
    return call.post(f"{_path(name)}/preview", Rendered, asked, repeatable=True)


def activate(name: str, version: int) -> Call[Template]:
    """Make a version the live one."""
    asked = {"version": version}
    return call.post(f"{_path(name)}/activate", Template, asked, repeatable=True)


def remove(name: str) -> Call[None]:
    """Remove it with all versions."""
    return call.delete(_path(name))


def _path(name: str) -> str:
    return f"{_PATH}/{part(name)}"
