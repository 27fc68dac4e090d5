"""The reference of all commands, written from the commands themselves: docs/reference/cli.md."""

from pathlib import Path
from typing import Any

import typer

from postroad.cli.main import app

_INTRODUCTION = """\
# Commands

<!-- Written by `python -m postroad.cli.reference`; a test compares. -->

In a terminal there are tables and colour, into a pipe goes plain text, and `--json` prints JSON. What
goes wrong is said in one line on standard error, and the exit code is one of sysexits(3): 0 done,
64 wrong usage, 65 wrong data, 67 no such user, 68 no such host, 69 refused for good, 74 the store
failed, 75 try again later, 77 not permitted, 78 a mistake in the configuration. Commands work on the
store of a server whether it runs or not.

`postroad-sendmail` takes the place of `sendmail` for programs that call it: `-t`, `-i`, `-f`, `-F`,
`-bs`, `-bm`, `-N`, `-R`, `-V`, recipients as arguments. It hands the message to the server through
the UNIX socket of `listen.local`, and ends with 75 if the server does not answer: the message is then
still the caller's.
"""


def reference() -> str:
    """Return the text of docs/reference/cli.md."""
    lines = [_INTRODUCTION]
    root: Any = typer.main.get_command(app)
    context = root.context_class(root, info_name="postroad")
    for name, command in root.commands.items():
        lines += _command(command, context, name)
    return "\n".join(lines)


def _command(command: Any, parent: Any, name: str) -> list[str]:
    context = command.context_class(command, info_name=name, parent=parent)
    if getattr(command, "commands", None):
        lines: list[str] = []
        for sub_name, sub in command.commands.items():
            lines += _command(sub, context, sub_name)
        return lines
    usage = f"{context.command_path} [OPTIONS]{''.join(map(_usage, command.params))}"
    lines = [f"## {context.command_path}", "", f"    {usage}", "", _one_line(command.help), ""]
    rows = [_row(each) for each in command.params if each.name != "help"]
    rows = [row for row in rows if row]
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    return lines


def _usage(parameter: Any) -> str:
    if parameter.param_type_name != "argument":
        return ""
    return f" {parameter.metavar}" if parameter.required else f" [{parameter.metavar}]"


def _row(parameter: Any) -> str:
    text = parameter.help or ""
    if parameter.param_type_name == "argument":
        name = parameter.metavar
        if not text:
            return ""
    else:
        name = ", ".join(parameter.opts)
        default = parameter.default
        if not isinstance(default, bool):
            name += f" {parameter.metavar or _KINDS.get(type(default), 'N')}"
            if default not in (None, "", ()) and isinstance(default, str | int | float):
                text += f" Default: {default}."
    return f"| `{_one_line(name)}` | {_one_line(text)} |"


_KINDS = {str: "TEXT", int: "N", float: "N"}


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    Path("docs/reference/cli.md").write_text(reference(), encoding="utf-8")
