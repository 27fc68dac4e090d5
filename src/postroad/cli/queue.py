"""``postroad queue``: what waits, and what to do about it."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office, operator
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import clean, print_json, print_line, print_table, when

if TYPE_CHECKING:
    from postroad.model import Delivery, Message
    from postroad.ports import QueueFilter, QueueItem
    from postroad.runtime.office import Office
    from postroad.service.desk import QueueDesk

app = typer.Typer(no_args_is_help=True, help="The queue: what waits, and what to do about it.")

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID[/N]...", help="Queue ids, or N-th delivery of one, as ID/N."),
]
StateFilter = Annotated[
    list[str] | None,
    typer.Option(
        "--state", metavar="STATE", help="due, leased, held, delivered, bounced … (repeat)"
    ),
]
DestinationFilter = Annotated[
    str | None,
    typer.Option("--destination", metavar="DOMAIN", help="Only to this domain, or local."),
]
SenderFilter = Annotated[
    str | None, typer.Option("--from", metavar="ADDRESS", help="Sender, or @domain.")
]
RecipientFilter = Annotated[
    str | None, typer.Option("--to", metavar="ADDRESS", help="Recipient, or @domain.")
]
All = Annotated[bool, typer.Option("--all", help="All that wait.")]


@app.command("list")
def list_(
    state: StateFilter = None,
    destination: DestinationFilter = None,
    sender: SenderFilter = None,
    recipient: RecipientFilter = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List deliveries, the oldest message first."""
    query = _query(state, destination, sender, recipient, limit)

    async def use(office: "Office") -> "tuple[list[QueueItem], dict[str, int]]":
        counts = await office.desk.counts()
        listed = await office.desk.list(query)
        return listed, {state.value: count for state, count in counts.items()}

    items, counts = in_office(config, use)
    if as_json:
        print_json({"counts": counts, "deliveries": [_to_plain(each) for each in items]})
        return
    print_table(
        ("ID", "STATE", "NEXT TRY (UTC)", "TRIES", "FROM", "TO", "LAST REPLY"),
        [_row(each) for each in items],
        empty="nothing waits",
    )


@app.command("show")
def show(
    id: Annotated[str, typer.Argument(metavar="ID")],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Show one message with all its deliveries."""
    from postroad.model import parse_id

    number = parse_id(id)

    async def use(office: "Office") -> "tuple[Message, list[Delivery]]":
        message, deliveries = await office.desk.show(number)
        return message, list(deliveries)

    message, deliveries = in_office(config, use)
    from postroad.service.journeys import delivery_to_plain

    if as_json:
        plain = [delivery_to_plain(each) for each in deliveries]
        print_json({**_message_to_plain(message), "deliveries": plain})
        return
    for name, value in _message_to_plain(message).items():
        shown = when(float(value)) if name == "accepted_at" else value
        print_line(f"{name.replace('_', ' ') + ':':14} {clean(str(shown))}")
    print_table(
        ("N", "STATE", "NEXT TRY (UTC)", "TRIES", "TO", "LAST REPLY"),
        [(str(each.ordinal), *_delivery_cells(each)) for each in deliveries],
        empty="there are no deliveries",
    )


def _steer(name: str, doc: str, done: str, default_states: tuple[str, ...]) -> None:
    """Make the commands that change deliveries; they differ in one word."""

    def command(
        ids: Ids = None,
        every: All = False,
        state: StateFilter = None,
        destination: DestinationFilter = None,
        sender: SenderFilter = None,
        recipient: RecipientFilter = None,
        as_json: AsJson = False,
        config: ConfigFile = None,
    ) -> None:
        if not (ids or every or state or destination or sender or recipient):
            raise CommandFailed(
                f"which? name ids (postroad queue {name} ID), a filter like --destination, or --all",
                Exit.USAGE,
            )
        states = state or list(default_states)
        query = _query(states, destination, sender, recipient, 1_000_000)
        wanted = [_parse_key(each) for each in ids or []]

        async def use(office: "Office") -> int:
            keys = await _keys(office.desk, wanted, query)
            act: Callable[[Any, str], Coroutine[Any, Any, int]] = getattr(office.desk, name)
            return await act(keys, operator())

        count = in_office(config, use)
        if as_json:
            print_json({done: count})
        else:
            print_line(f"{count} {'delivery' if count == 1 else 'deliveries'} {done}")

    command.__doc__ = doc
    app.command(name)(command)


_steer("retry", "Make waiting deliveries due now.", "made due now", ("due",))
_steer("hold", "Stop deliveries until they are released.", "held", ("due", "leased"))
_steer("release", "Make held deliveries due now.", "released", ("held",))
_steer(
    "drop",
    "End deliveries for good; nobody is told but the journey.",
    "dropped",
    ("due", "leased", "held"),
)


async def _keys(
    desk: "QueueDesk", wanted: list[tuple[int, int | None]], query: "QueueFilter"
) -> list[tuple[int, int]]:
    if not wanted:
        return [(item.message.id, item.delivery.ordinal) for item in await desk.list(query)]
    keys = []
    for message, ordinal in wanted:
        _, deliveries = await desk.show(message)
        chosen = [each.ordinal for each in deliveries if ordinal in (None, each.ordinal)]
        if not chosen:
            raise CommandFailed(f"that message has no delivery {ordinal}", Exit.DATAERR)
        keys += [(message, each) for each in chosen]
    return keys


def _parse_key(text: str) -> tuple[int, int | None]:
    from postroad.model import parse_id

    message, slash, ordinal = text.partition("/")
    if slash and not ordinal.isdigit():
        raise CommandFailed(f"{text!r}: what follows the / is not a number", Exit.USAGE)
    return parse_id(message), int(ordinal) if slash else None


def _query(
    states: list[str] | None,
    destination: str | None,
    sender: str | None,
    recipient: str | None,
    limit: int,
) -> "QueueFilter":
    from msgspec.structs import replace

    from postroad.model import DeliveryState
    from postroad.ports import QueueFilter

    query = QueueFilter(destination=destination, sender=sender, recipient=recipient, limit=limit)
    if not states:
        return query
    try:
        return replace(query, states=tuple(DeliveryState(each) for each in states))
    except ValueError:
        known = ", ".join(each.value for each in DeliveryState)
        raise CommandFailed(f"--state: one of {states} is none of {known}", Exit.USAGE) from None


def _row(item: "QueueItem") -> tuple[str, ...]:
    from postroad.model import format_id

    sender = item.message.envelope.sender
    state, due, tries, recipient, last = _delivery_cells(item.delivery)
    key = f"{format_id(item.message.id)}/{item.delivery.ordinal}"
    return key, state, due, tries, str(sender or "<>"), recipient, last


def _delivery_cells(delivery: "Delivery") -> tuple[str, str, str, str, str]:
    waiting = not delivery.state.final
    return (
        delivery.state.value,
        when(delivery.due_at) if waiting and delivery.due_at else "-",
        str(delivery.attempts),
        str(delivery.recipient),
        str(delivery.last) if delivery.last else "-",
    )


def _to_plain(item: "QueueItem") -> dict[str, object]:
    from postroad.service.journeys import delivery_to_plain

    return {"message": _message_to_plain(item.message), **delivery_to_plain(item.delivery)}


def _message_to_plain(message: "Message") -> dict[str, Any]:
    from postroad.model import format_id

    origin = message.origin
    return {
        "id": format_id(message.id),
        "message_id": message.message_id,
        "sender": str(message.envelope.sender or ""),
        "accepted_at": message.accepted_at,
        "size": message.content.size,
        "server": origin.server.value,
        "client": origin.client,
        "account": origin.account or "",
    }
