"""``postroad mail``: the mailboxes of an account, and moving mail between them."""

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.opened import in_office, operator
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_line, print_table, when

if TYPE_CHECKING:
    from postroad.ports import MailboxStatus
    from postroad.runtime.office import Office
    from postroad.service.mail import MessageSummary

mail = typer.Typer(no_args_is_help=True, help="The mail of an account: list it, move it.")

AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS", help="The account.")]


@mail.command("list")
def mail_list(
    address: AddressArgument,
    mailbox: Annotated[
        str | None,
        typer.Argument(metavar="[MAILBOX]", help="List its messages; left out, the mailboxes."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="How many messages, the newest first.")
    ] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List the mailboxes of an account, or the messages in one of them."""
    from postroad.model import Address

    parsed = Address.parse(address)

    async def boxes(office: "Office") -> "list[MailboxStatus]":
        return await office.mail.mailboxes(parsed)

    async def messages(office: "Office") -> "list[MessageSummary]":
        return await office.mail.messages(parsed, mailbox or "", limit)

    if mailbox is None:
        _show_mailboxes(in_office(config, boxes), as_json)
    else:
        _show_messages(in_office(config, messages), mailbox, as_json)


def _show_mailboxes(found: "list[MailboxStatus]", as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "name": each.mailbox.name,
                    "messages": each.entries,
                    "octets": each.octets,
                    "uid_validity": each.mailbox.uid_validity,
                    "uid_next": each.uid_next,
                    "modseq": each.modseq,
                }
                for each in found
            ]
        )
        return
    rows = [(each.mailbox.name, str(each.entries), str(each.octets)) for each in found]
    print_table(("MAILBOX", "MESSAGES", "OCTETS"), rows, empty="there are no mailboxes")


def _show_messages(found: "list[MessageSummary]", mailbox: str, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "uid": each.uid,
                    "size": each.size,
                    "deposited_at": each.deposited_at,
                    "from": each.author,
                    "subject": each.subject,
                    "date": each.date,
                }
                for each in found
            ]
        )
        return
    rows = [
        (str(each.uid), when(each.deposited_at), each.author[:40], each.subject[:60])
        for each in found
    ]
    print_table(("UID", "CAME", "FROM", "SUBJECT"), rows, empty=f"{mailbox} is empty")


@mail.command("move")
def mail_move(
    address: AddressArgument,
    uids: Annotated[list[int], typer.Argument(metavar="UID...", help="As mail list shows them.")],
    source: Annotated[
        str, typer.Option("--from", metavar="MAILBOX", help="Where the messages are.")
    ] = "INBOX",
    into: Annotated[
        str, typer.Option("--to", metavar="MAILBOX", help="Where they go; made if missing.")
    ] = "Junk",
    config: ConfigFile = None,
) -> None:
    """Move messages into another mailbox of the account.

    What moves into Junk, or out of it, teaches the account what is junk (see: postroad junk).
    """
    from postroad.model import Address, parse_mailbox_name

    parsed = Address.parse(address)
    source, into, by = parse_mailbox_name(source), parse_mailbox_name(into), operator()

    async def use(office: "Office") -> int:
        return await office.mail.move(parsed, uids, source=source, into=into, by=by)

    count = in_office(config, use)
    print_line(f"{count} moved from {source} to {into}")
