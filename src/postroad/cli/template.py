"""``postroad template``: what messages are made of, in versions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office, operator
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_line, print_table, when

if TYPE_CHECKING:
    from postroad.model import Rendered, Template, TemplateEntry
    from postroad.runtime.office import Office

app = typer.Typer(no_args_is_help=True, help="Templates of messages, and their versions.")

MAX_FILE_OCTETS = 2**26

Name = Annotated[str, typer.Argument(metavar="NAME")]
Version = Annotated[
    int | None,
    typer.Option("--version", metavar="N", min=1, help="This version, not the live one."),
]


@app.command("save")
def save(
    name: Name,
    subject: Annotated[str, typer.Option("--subject", metavar="TEXT", help="The subject.")] = "",
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="The HTML, from a file.")
    ] = None,
    mjml: Annotated[
        Path | None, typer.Option("--mjml", metavar="FILE", help="MJML instead of HTML.")
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option("--text", metavar="FILE", help="The text. Left out: derived from the HTML."),
    ] = None,
    layout: Annotated[
        str, typer.Option("--layout", metavar="NAME", help="The template that stands around it.")
    ] = "",
    sample: Annotated[
        Path | None,
        typer.Option("--sample", metavar="FILE", help="Data (JSON) that it must render with."),
    ] = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="Do not make it live yet; see: activate.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Save a new version of a template. It is live at once unless it is a draft."""
    from postroad.model import TemplateSource

    source = TemplateSource(subject, _read(html), _read(mjml), _read(text), layout)
    example = _read(sample)

    async def use(office: "Office") -> "Template":
        by = operator()
        return await office.templates.save(name, source, sample=example, live=not draft, by=by)

    saved = in_office(config, use)
    print_line(f"{saved.name} version {saved.version} saved{'' if draft else ', and live'}")


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """List the templates."""

    async def use(office: "Office") -> "list[TemplateEntry]":
        return await office.templates.list()

    _print_entries(in_office(config, use), as_json, "there are no templates")


@app.command("show")
def show(
    name: Name,
    version: Version = None,
    versions: Annotated[
        bool, typer.Option("--versions", help="List the versions that are kept.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Print a template as it was written, or the list of its versions."""
    if versions:

        async def use_all(office: "Office") -> "list[TemplateEntry]":
            return await office.templates.versions(name)

        _print_entries(in_office(config, use_all), as_json, "")
        return

    async def use(office: "Office") -> "Template":
        return await office.templates.show(name, version)

    found = in_office(config, use)
    source = found.source
    parts = {"subject": source.subject, "html": source.html, "mjml": source.mjml}
    parts |= {"text": source.text, "layout": source.layout, "sample": found.sample}
    if as_json:
        about = {"name": found.name, "version": found.version, "live": found.live}
        print_json({**about, **parts, "saved_at": found.saved_at, "by": found.by})
        return
    state = "live" if found.live else "not live"
    print_line(f"{found.name} version {found.version}, {state}, by {found.by}", style="bold")
    for part, content in parts.items():
        if content:
            print_line(f"--- {part}", style="dim")
            print(content.rstrip("\n"))


@app.command("preview")
def preview(
    name: Name,
    version: Version = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE", help="Data (JSON). Left out: the sample."),
    ] = None,
    part: Annotated[
        str, typer.Option("--part", metavar="subject|html|text", help="Only this part.")
    ] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Print what comes of a template with data. Nothing is sent."""
    if part not in ("", "subject", "html", "text"):
        raise CommandFailed(f"--part {part!r}: there are only subject, html, text", Exit.USAGE)
    given = _read(data) if data is not None else None

    async def use(office: "Office") -> "Rendered":
        return await office.templates.preview(name, version, given)

    made = in_office(config, use)
    if as_json:
        print_json({"subject": made.subject, "html": made.html, "text": made.text})
    elif part:
        print(getattr(made, part))
    else:
        for each in ("subject", "html", "text"):
            print_line(f"--- {each}", style="dim")
            print(getattr(made, each))


@app.command("activate")
def activate(
    name: Name,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1)],
    config: ConfigFile = None,
) -> None:
    """Make a version the live one: a draft, or an earlier one to roll back to."""

    async def use(office: "Office") -> None:
        await office.templates.activate(name, version, by=operator())

    in_office(config, use)
    print_line(f"{name} version {version} is live")


@app.command("remove")
def remove(name: Name, config: ConfigFile = None) -> None:
    """Remove a template with all its versions."""

    async def use(office: "Office") -> None:
        await office.templates.remove(name, by=operator())

    in_office(config, use)
    print_line(f"{name} removed")


def _print_entries(entries: "list[TemplateEntry]", as_json: bool, empty: str) -> None:
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "version": each.version,
                    "live": each.live,
                    "layout": each.layout,
                    "saved_at": each.saved_at,
                    "by": each.by,
                }
                for each in entries
            ]
        )
        return
    rows = [
        (
            each.name,
            str(each.version),
            "yes" if each.live else "no",
            each.layout or "-",
            when(each.saved_at),
            each.by,
        )
        for each in entries
    ]
    print_table(("NAME", "VERSION", "LIVE", "LAYOUT", "SAVED (UTC)", "BY"), rows, empty=empty)


def _read(file: Path | None) -> str:
    if file is None:
        return ""
    with file.open("rb") as opened:
        data = opened.read(MAX_FILE_OCTETS + 1)
    if len(data) > MAX_FILE_OCTETS:
        raise CommandFailed(f"{file} is larger than {MAX_FILE_OCTETS} octets", Exit.DATAERR)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file} is no UTF-8: {error}", Exit.DATAERR) from None
