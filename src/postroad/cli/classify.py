"""``postroad classify``: what a reply of another server, a bounce or a complaint means."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import clean, print_json, print_line, print_table

if TYPE_CHECKING:
    from postroad.message.bounce import Notice
    from postroad.message.bounce.classify import Classifier


def classify(
    what: Annotated[
        str,
        typer.Argument(
            metavar="REPLY|FILE",
            help="A reply, or a file with a message that came back; - reads it.",
        ),
    ],
    host: Annotated[
        str, typer.Option("--host", metavar="NAME", help="The server that gave the reply.")
    ] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Tell what a reply like "550 5.1.1 no such user" means, and by which rule; or who did not get a
    message and why, from the bounce or complaint in a file. Exit code 65 where it is neither.
    """
    from postroad.message.bounce.classify import parse_reply

    rules = _rules(config)
    message = _message(what)
    if message is not None:
        _show_message(message, what, rules, as_json)
        return
    reply = parse_reply(what)
    if reply is None or reply.code < 400:
        raise CommandFailed(
            f'{what!r} is no file, and no reply of a failure like "550 5.1.1 no such user"',
            Exit.DATAERR,
        )
    found = _to_plain(rules, str(reply), reply, host)
    if as_json:
        print_json(found)
    else:
        rows = [(name.upper(), _cell(value)) for name, value in found.items()]
        print_table(("WHAT", "IS"), rows, empty="")


def _rules(config: Path | None) -> "Classifier":
    """The rules of the configuration where there is one: a reply can be looked at anywhere."""
    from postroad.message.bounce.classify import built_in
    from postroad.runtime.config import load_config
    from postroad.runtime.config.load import DEFAULT_PATH
    from postroad.runtime.replies import make_classifier

    if config is None and not DEFAULT_PATH.exists():
        return built_in()
    return make_classifier(load_config(config))


def _message(what: str) -> bytes | None:
    from postroad.message.bounce import MAX_READ_OCTETS

    if what == "-":
        return sys.stdin.buffer.read(MAX_READ_OCTETS)
    try:
        with open(what, "rb") as file:
            return file.read(MAX_READ_OCTETS)
    except (FileNotFoundError, IsADirectoryError, ValueError):
        return None
    except OSError as error:
        if error.filename == what and len(what) < 256:
            raise
        return None  # a reply that is too long for the name of a file


def _show_message(message: bytes, name: str, rules: "Classifier", as_json: bool) -> None:
    from postroad.message.bounce import read_notice

    notice = read_notice(message)
    if notice is None:
        raise CommandFailed(f"{name} is neither a bounce nor a complaint", Exit.DATAERR)
    recipients = _recipients(notice, rules)
    if as_json:
        print_json(
            {
                "form": notice.form.value,
                "message_id": notice.message_id,
                "envelope_id": notice.envelope_id,
                "reporting_mta": notice.reporting_mta,
                "feedback_type": notice.feedback_type,
                "recipients": recipients,
            }
        )
        return
    about = f" about {clean(notice.message_id)}" if notice.message_id else ""
    print_line(f"{notice.form.value}{about}", style="bold")
    columns = ("ADDRESS", "WHAT", "CATEGORY", "PERMANENT", "PROVIDER", "RULE", "REPLY")
    keys = ("address", "what", "category", "permanent", "provider", "rule", "reply")
    rows = [[_cell(each[key]) for key in keys] for each in recipients]
    print_table(columns, rows, empty="it names nobody")


def _recipients(notice: "Notice", rules: "Classifier") -> list[dict[str, Any]]:
    from postroad.message.bounce import Form, reply_of

    found = []
    for each in notice.recipients:
        what = "failed" if each.failed else "delivered" if each.delivered else "delayed"
        if notice.form is Form.FEEDBACK:
            what = "complained"
        reply = None if each.delivered else reply_of(each)
        said = each.diagnostic or each.status
        found.append(
            {
                "address": each.address,
                "what": what,
                **_to_plain(rules, said, reply, each.remote_mta),
            }
        )
    return found


def _to_plain(rules: "Classifier", said: str, reply: Any, host: str) -> dict[str, Any]:
    if reply is None:
        empty = {"category": None, "permanent": None, "hard": None, "provider": "", "rule": ""}
        return {"reply": said, **empty}
    found = rules.classify(reply, host)
    return {
        "reply": said,
        "category": found.category.value,
        "permanent": found.permanent,
        "hard": found.hard,
        "provider": found.provider,
        "rule": found.rule,
    }


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value else "-"
