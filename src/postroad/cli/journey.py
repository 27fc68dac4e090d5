"""``postroad journey``: what happened to a message."""

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import clean, print_json, print_line, print_table, when

if TYPE_CHECKING:
    from postroad.model import Message
    from postroad.runtime.office import Office
    from postroad.service.journeys import Journey


def journey(
    id: Annotated[str | None, typer.Argument(metavar="ID", help="Queue id.")] = None,
    message_id: Annotated[
        str | None, typer.Option("--message-id", metavar="ID", help="Message-ID header field.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="ADDRESS", help="Recipient (or sender).")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many messages.")] = 20,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Tell what happened to a message; several that fit are listed, the newest first."""
    if sum(each is not None for each in (id, message_id, to)) > 1:
        raise CommandFailed("name one of: a queue id, --message-id, --to", Exit.USAGE)
    from postroad.model import parse_id

    number = parse_id(id) if id else None

    async def use(office: "Office") -> "Journey | list[Message]":
        if number is not None:
            return await office.journeys.of(number)
        found = await office.journeys.find(message_id=message_id, address=to, limit=limit)
        if len(found) == 1 and (message_id or to):
            return await office.journeys.of(found[0].id)
        return found

    found = in_office(config, use)
    if isinstance(found, list):
        _show_list(found, as_json)
    elif as_json:
        print_json(found.to_plain())
    else:
        _show(found)


def _show(journey: "Journey") -> None:
    from postroad.model import format_id

    message = journey.message
    print_line(
        f"{format_id(message.id)}  {clean(message.message_id)}  {when(message.accepted_at)} UTC",
        style="bold",
    )
    rows = [(f"+{line.seconds:.3f} s", line.what, line.text) for line in journey.lines]
    print_table(("AFTER", "WHAT", "IN WORDS"), rows, empty="the journey has no lines")
    states = [(str(each.recipient), each.state.value) for each in journey.deliveries]
    print_table(("TO", "STATE"), states, empty="there are no deliveries")


def _show_list(messages: "list[Message]", as_json: bool) -> None:
    from postroad.model import format_id

    if as_json:
        print_json(
            [
                {
                    "id": format_id(each.id),
                    "message_id": each.message_id,
                    "sender": str(each.envelope.sender or ""),
                    "recipients": [str(one.address) for one in each.envelope.recipients],
                    "accepted_at": each.accepted_at,
                }
                for each in messages
            ]
        )
        return
    rows = [
        (
            format_id(each.id),
            when(each.accepted_at),
            str(each.envelope.sender or "<>"),
            ", ".join(str(one.address) for one in each.envelope.recipients[:3]),
            each.message_id,
        )
        for each in messages
    ]
    columns = ("ID", "ACCEPTED (UTC)", "FROM", "TO", "MESSAGE-ID")
    print_table(columns, rows, empty="no message fits")
