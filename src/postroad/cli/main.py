"""The `postroad` command. Each command imports what it needs when it runs, so that help is quick."""

import sys
from collections.abc import Sequence
from typing import Any

import typer

from postroad.cli import (
    account,
    api_key,
    backup,
    certificate,
    classify,
    config,
    domain_check,
    journey,
    junk,
    key,
    mail,
    migrate,
    mta_sts,
    people,
    plan,
    queue,
    quickstart,
    quota,
    reports,
    route,
    schedule,
    send,
    serve,
    standing,
    suppression,
    template,
    top,
    webhook,
)
from postroad.cli.errors import Exit, explain
from postroad.cli.show import complain

app = typer.Typer(
    name="postroad",
    help="A complete e-mail system: the whole road of a message, from sending it to reading it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("quickstart")(quickstart.quickstart)
app.command("serve")(serve.serve)
app.command("lab")(serve.lab)
app.command("send")(send.send)
app.command("route")(route.route)
app.command("plan")(plan.plan)
app.command("classify")(classify.classify)
queue.app.command("reschedule")(schedule.reschedule)
queue.app.command("cancel")(schedule.cancel)
app.add_typer(queue.app, name="queue")
app.command("journey")(journey.journey)
app.command("top")(top.top)
account.app.command("quota")(quota.quota)
app.add_typer(account.app, name="account")
app.add_typer(api_key.app, name="api-key")
app.add_typer(webhook.app, name="webhook")
people.domains.command("check")(domain_check.check)
people.domains.command("records")(domain_check.records)
app.add_typer(people.domains, name="domain")
app.add_typer(people.aliases, name="alias")
app.add_typer(mail.mail, name="mail")
app.add_typer(junk.junk, name="junk")
app.add_typer(reports.app, name="reports")
app.add_typer(certificate.app, name="certificate")
app.add_typer(key.app, name="key")
app.command("mta-sts")(mta_sts.mta_sts)
app.add_typer(standing.app, name="standing")
app.add_typer(suppression.app, name="suppression")
app.add_typer(template.app, name="template")
app.add_typer(config.app, name="config")
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("verify-data")(backup.verify_data)
app.command("migrate")(migrate.migrate)


@app.command("version")
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    print(f"postroad {installed('postroad')}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return a code of sysexits(3)."""
    try:
        result = app(
            list(sys.argv[1:] if argv is None else argv),
            prog_name="postroad",
            standalone_mode=False,
        )
    except _UsageError as error:
        return _misused(error)
    except typer.Abort:
        complain("stopped")
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough; the interpreter must not complain at its end.
        sys.stderr.close()
        return Exit.OK
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        complain(known[0])
        return known[1]
    return result if isinstance(result, int) else Exit.OK


# Typer has click inside since 0.26 and beside it before; this class is the same in both.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def _misused(error: Any) -> int:
    """A command line that cannot be understood."""
    context = error.ctx
    if type(error).__name__ == "NoArgsIsHelpError":
        print(context.get_help())
    else:
        hint = f" (see: {context.command_path} --help)" if context else ""
        complain(error.format_message().rstrip(" .") + hint)
    return Exit.USAGE


if __name__ == "__main__":
    sys.exit(main())
