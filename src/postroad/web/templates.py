"""``/api/v1/templates``: what messages are made of, in versions.

Templates belong to the whole server, so only keys for all its domains may see and change them; other
keys send by them (`POST /messages`).
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from postroad.model import ApiScope, Rendered, TemplateEntry, TemplateSource
from postroad.service.templates import NoTemplate, Templates
from postroad.web.api.moment import rfc3339
from postroad.web.keys import SECURITY, key_of, needs
from postroad.web.problem import Problem
from postroad.web.services import Services

_PATH = "/api/v1/templates"
_TAGS = ["templates"]

Version = Annotated[int, Meta(ge=1, le=2**31, description="A version, from 1.")]


class TemplateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A new version. One of html, mjml and text is needed; html and mjml exclude each other."""

    subject: str = ""
    html: str = ""
    mjml: str = ""
    text: str = ""
    layout: Annotated[str, Meta(description="The name of a template to stand around it.")] = ""
    sample: Annotated[dict[str, Any] | None, Meta(description="Data that it must render with.")] = (
        None
    )
    live: Annotated[bool, Meta(description="False for a draft.")] = True


class PreviewBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What to try: without data the sample, without version the live one."""

    data: dict[str, Any] | None = None
    version: Version | None = None


class ActivateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The version that is to be live."""

    version: Version


class TemplateDetails(Struct, frozen=True):
    """One version."""

    name: str
    version: int
    live: bool
    subject: str
    html: str
    mjml: str
    text: str
    layout: str
    sample: dict[str, Any] | None
    saved_at: str
    by: str


class TemplateListed(Struct, frozen=True):
    """A version, without what was written."""

    name: str
    version: int
    live: bool
    layout: str
    saved_at: str
    by: str


class TemplateList(Struct, frozen=True):
    """Templates, or versions of one."""

    templates: list[TemplateListed]


class Preview(Struct, frozen=True):
    """What comes of a template."""

    subject: str
    html: str
    text: str


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""
    templates = services.templates
    common: dict[str, Any] = {
        "guards": [needs(ApiScope.SETTINGS), _whole_server],
        "security": SECURITY,
        "tags": _TAGS,
    }

    @get(_PATH, **common)
    async def list_templates() -> TemplateList:
        """List the templates, each by its live version, or else its newest."""
        return _listed(await templates.list())

    @get(f"{_PATH}/{{name:str}}", **common)
    async def show_template(
        name: FromPath[str],
        version: FromQuery[Version | None] = None,
    ) -> TemplateDetails:
        """Show a version as it was written."""
        return await _show(templates, name, version)

    @get(f"{_PATH}/{{name:str}}/versions", **common)
    async def list_versions(name: FromPath[str]) -> TemplateList:
        """List the versions that are kept, the newest first."""
        try:
            return _listed(await templates.versions(name))
        except NoTemplate as error:
            raise _not_found(error) from None

    @put(f"{_PATH}/{{name:str}}", **common)
    async def save_template(
        request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[TemplateBody]
    ) -> TemplateDetails:
        """Save a new version of a template, live at once unless it says otherwise."""
        source = TemplateSource(data.subject, data.html, data.mjml, data.text, data.layout)
        sample = "" if data.sample is None else msgspec.json.encode(data.sample).decode()
        saved = await templates.save(name, source, sample=sample, live=data.live, by=_who(request))
        return await _show(templates, name, saved.version)

    @post(f"{_PATH}/{{name:str}}/preview", status_code=200, **common)
    async def preview_template(
        request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[PreviewBody]
    ) -> Preview:
        """Render a template without sending anything."""
        given = None if data.data is None else msgspec.json.encode(data.data).decode()
        try:
            made: Rendered = await templates.preview(name, data.version, given, by=_who(request))
        except NoTemplate as error:
            raise _not_found(error) from None
        return Preview(made.subject, made.html, made.text)

    @post(f"{_PATH}/{{name:str}}/activate", status_code=200, **common)
    async def activate_template(
        request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[ActivateBody]
    ) -> TemplateDetails:
        """Make a version the live one: a draft, or an earlier one to roll back to."""
        await _show(templates, name, data.version)
        await templates.activate(name, data.version, by=_who(request))
        return await _show(templates, name, data.version)

    @delete(f"{_PATH}/{{name:str}}", status_code=204, **common)
    async def remove_template(request: Request[Any, Any, Any], name: FromPath[str]) -> None:
        """Remove a template with all its versions."""
        await _show(templates, name, None)
        await templates.remove(name, by=_who(request))

    return [
        list_templates,
        show_template,
        list_versions,
        save_template,
        preview_template,
        activate_template,
        remove_template,
    ]


def _who(request: Request[Any, Any, Any]) -> str:
    return f"{key_of(request).name} (API)"


def _whole_server(connection: Any, _: Any) -> None:
    key = key_of(connection)
    if key.domains:
        raise Problem(
            403, "forbidden", f"the key {key.name!r} is for some domains; templates are for all"
        )


async def _show(templates: Templates, name: str, version: int | None) -> TemplateDetails:
    try:
        found = await templates.show(name, version)
    except NoTemplate as error:
        raise _not_found(error) from None
    source = found.source
    return TemplateDetails(
        found.name,
        found.version,
        found.live,
        source.subject,
        source.html,
        source.mjml,
        source.text,
        source.layout,
        msgspec.json.decode(found.sample) if found.sample else None,
        rfc3339(found.saved_at),
        found.by,
    )


def _listed(found: Sequence[TemplateEntry]) -> TemplateList:
    return TemplateList(
        [
            TemplateListed(
                each.name,
                each.version,
                each.live,
                each.layout,
                rfc3339(each.saved_at),
                each.by,
            )
            for each in found
        ]
    )


def _not_found(error: NoTemplate) -> Problem:
    return Problem(404, "not-found", str(error))
