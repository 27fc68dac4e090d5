"""``postroad junk``: what an account learned of junk."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_line, print_table

if TYPE_CHECKING:
    from postroad.runtime.office import Office
    from postroad.service.junk import JunkReport

junk = typer.Typer(
    no_args_is_help=True,
    help="What an account learned of junk, from mail moved into Junk or out of it, or from files.",
)

AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS", help="The account.")]


@junk.command("learn")
def junk_learn(
    address: AddressArgument,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE...]", help="Messages, mbox files, maildirs or folders."),
    ] = None,
    spam: Annotated[
        bool | None, typer.Option("--spam/--ham", help="As what they are learned.")
    ] = None,
    mailbox: Annotated[
        str | None, typer.Option(metavar="NAME", help="Learn all in this mailbox of the account.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Teach an account what is junk (--spam) and what is not (--ham).

    A message teaches once; what was learned as the other is taken back first.
    """
    from postroad.cli.mailfiles import messages_in
    from postroad.model import Address

    parsed = Address.parse(address)
    if spam is None:
        raise CommandFailed("say --spam or --ham", Exit.USAGE)
    if not files and mailbox is None:
        raise CommandFailed("name files, maildirs or mboxes, or a --mailbox", Exit.USAGE)
    missing = [str(path) for path in files or () if not path.exists()]
    if missing:
        raise CommandFailed(f"there is no {', no '.join(missing)}", Exit.NOINPUT)

    def messages() -> Iterator[bytes]:
        for path in files or ():
            yield from messages_in(path)

    async def use(office: "Office") -> int:
        count = await office.junk.learn(parsed, messages(), spam=spam)
        if mailbox is not None:
            count += await office.junk.learn_mailbox(parsed, mailbox, spam=spam)
        return count

    count = in_office(config, use)
    print_line(f"{count} learned as {'spam' if spam else 'ham'}")


@junk.command("show")
def junk_show(
    address: AddressArgument,
    words: Annotated[
        int, typer.Option(min=0, max=10_000, help="How many words of each kind.")
    ] = 20,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Show how much an account learned, whether its mail is judged, and the strongest words."""
    from postroad.model import Address

    parsed = Address.parse(address)

    async def use(office: "Office") -> "JunkReport":
        return await office.junk.report(parsed, words)

    found = in_office(config, use)
    if as_json:
        print_json(_plain(found))
        return
    totals = found.totals
    print_line(f"{totals.spam} learned as spam, {totals.ham} as ham, {totals.tokens} words kept")
    if found.active:
        print_line(f"mail that scores {found.threshold:g} or more goes into Junk")
    else:
        print_line(f"its mail is not judged before it learned {found.min_messages} of each kind")
    rows = [
        (each.token, str(each.spam), str(each.ham), f"{each.probability:.3f}")
        for each in (*found.spam_words, *found.ham_words)
    ]
    print_table(("WORD", "SPAM", "HAM", "PROBABILITY"), rows, empty="no word is known")


def _plain(found: "JunkReport") -> dict[str, object]:
    from msgspec import to_builtins

    return {
        "spam": found.totals.spam,
        "ham": found.totals.ham,
        "tokens": found.totals.tokens,
        "active": found.active,
        "min_messages": found.min_messages,
        "threshold": found.threshold,
        "spam_words": to_builtins(found.spam_words),
        "ham_words": to_builtins(found.ham_words),
    }
