"""``postroad queue``: what waits, and what to do about it."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.moment import At, parse_moment
from postroad.cli.opened import in_office, operator
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import clean, complain, print_json, print_line, print_table, when

if TYPE_CHECKING:
    from postroad.model import Delivery, DeliveryState, Message
    from postroad.ports import QueueFilter, QueueItem
    from postroad.runtime.office import Office
    from postroad.service.desk import QueueDesk
    from postroad.service.history import Hold
    from postroad.service.journeys import Classify

    Holds = dict[tuple[int, int], Hold]

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
    at: At = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List deliveries, the oldest message first; with --at, as the queue stood then, rebuilt from the
    journey: what a worker had in hand then shows as due.
    """
    query = _query(state, destination, sender, recipient, limit)
    moment = _moment(at, query)

    async def use(
        office: "Office",
    ) -> "tuple[list[QueueItem], dict[DeliveryState, int], Holds, Classify]":
        if moment is None:
            counts = await office.desk.counts()
            items = await office.desk.list(query)
            holds = await office.desk.holds(each.delivery for each in items)
            return items, counts, holds, office.classify
        _warn_of_retention(office, moment)
        items, counts = await office.history.list(query, moment)
        holds = {}
        for message in {each.message.id for each in items}:
            past = await office.history.show(message, moment)
            holds |= {(message, ordinal): hold for ordinal, hold in past.holds.items()}
        return items, counts, holds, office.classify

    items, counts, holds, classify = in_office(config, use)
    if as_json:
        listed = [_to_plain(each, holds, classify) for each in items]
        print_json({**_at_to_plain(moment), "counts": _counts(counts), "deliveries": listed})
        return
    _say_when(moment)
    print_table(
        ("ID", "STATE", "NEXT TRY (UTC)", "TRIES", "STREAM", "FROM", "TO", "LAST REPLY"),
        [_row(each, holds, classify) for each in items],
        empty="nothing waits" if moment is None else "nothing waited",
    )


@app.command("counts")
def counts_(at: At = None, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Count the deliveries that wait, by state; with --at, those that waited then."""
    moment = _moment(at)

    async def use(office: "Office") -> "dict[DeliveryState, int]":
        if moment is None:
            return await office.desk.counts()
        _warn_of_retention(office, moment)
        return await office.history.counts(moment)

    counts = _counts(in_office(config, use))
    if as_json:
        print_json({**_at_to_plain(moment), "counts": counts})
        return
    _say_when(moment)
    rows = [(state, str(count)) for state, count in counts.items()]
    print_table(("STATE", "DELIVERIES"), rows, empty="")


@app.command("show")
def show(
    id: Annotated[str, typer.Argument(metavar="ID")],
    at: At = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Show one message with all its deliveries; with --at, as they stood then."""
    from postroad.model import parse_id

    number, moment = parse_id(id), _moment(at)

    async def use(office: "Office") -> "tuple[Message, list[Delivery], Holds, Classify]":
        if moment is None:
            message, deliveries = await office.desk.show(number)
            holds = await office.desk.holds(deliveries)
            return message, list(deliveries), holds, office.classify
        past = await office.history.show(number, moment)
        holds = {(number, ordinal): hold for ordinal, hold in past.holds.items()}
        return past.message, list(past.deliveries), holds, office.classify

    message, deliveries, holds, classify = in_office(config, use)
    if as_json:
        plain = [_delivery_to_plain(each, holds, classify) for each in deliveries]
        print_json({**_at_to_plain(moment), **_message_to_plain(message), "deliveries": plain})
        return
    _say_when(moment)
    for name, value in _message_to_plain(message).items():
        shown = when(float(value)) if name == "accepted_at" else value
        print_line(f"{name.replace('_', ' ') + ':':14} {clean(str(shown))}")
    print_table(
        ("N", "STATE", "NEXT TRY (UTC)", "TRIES", "TO", "LAST REPLY"),
        [(str(each.ordinal), *_delivery_cells(each, holds, classify)) for each in deliveries],
        empty="there are no deliveries",
    )


@app.command("why")
def why(
    id: Annotated[str, typer.Argument(metavar="ID[/N]")],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Say in one sentence why a message does not move, or what became of it; a line for each recipient,
    or for the N-th alone. From the store, and from what the running server says of itself.
    """
    from postroad.runtime.metrics.live import read

    number, ordinal = parse_key(id)

    async def use(office: "Office") -> "list[tuple[Delivery, str]]":
        snapshots = read(office.config.server.data_dir, office.clock.now())
        answers = await office.why.of(number, [each.look for each in snapshots])
        return [each for each in answers if ordinal in (None, each[0].ordinal)]

    answers = in_office(config, use)
    if not answers:
        raise CommandFailed(f"that message has no delivery {ordinal}", Exit.DATAERR)
    if as_json:
        print_json(
            [
                {
                    "ordinal": delivery.ordinal,
                    "recipient": str(delivery.recipient),
                    "state": delivery.state.value,
                    "why": sentence,
                }
                for delivery, sentence in answers
            ]
        )
        return
    for delivery, sentence in answers:
        print_line(clean(f"{delivery.recipient}: {sentence}"))


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
        wanted = [parse_key(each) for each in ids or []]

        async def use(office: "Office") -> int:
            keys = await keys_of(office.desk, wanted, query)
            act: Callable[[Any, str], Coroutine[Any, Any, int]] = getattr(office.desk, name)
            count = await act(keys, operator())
            if wanted and not count:
                why_not = await left_alone(office.desk, keys, name, default_states)
                raise CommandFailed("\n".join(why_not), Exit.DATAERR)
            return count

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


async def keys_of(
    desk: "QueueDesk", wanted: list[tuple[int, int | None]], query: "QueueFilter | None" = None
) -> list[tuple[int, int]]:
    """Return the deliveries that were named, or those that fit. Raises `CommandFailed`."""
    if query is not None and not wanted:
        return [(item.message.id, item.delivery.ordinal) for item in await desk.list(query)]
    keys = []
    for message, ordinal in wanted:
        _, deliveries = await desk.show(message)
        chosen = [each.ordinal for each in deliveries if ordinal in (None, each.ordinal)]
        if not chosen:
            raise CommandFailed(f"that message has no delivery {ordinal}", Exit.DATAERR)
        keys += [(message, each) for each in chosen]
    return keys


async def left_alone(
    desk: "QueueDesk", keys: list[tuple[int, int]], name: str, states: tuple[str, ...]
) -> list[str]:
    """Return why each of the deliveries that were named is in no state for what is asked."""
    from postroad.model import format_id

    lines = []
    for message in dict.fromkeys(message for message, _ in keys):
        _, deliveries = await desk.show(message)
        for each in deliveries:
            state = each.state.value
            if (message, each.ordinal) not in keys or state in states:
                continue
            key = f"{format_id(message)}/{each.ordinal}"
            if each.state.final:
                mend = f"that was its end; see: postroad journey {format_id(message)}"
            elif state == "held" and name == "retry":
                mend = f"say: postroad queue release {key}"
            elif state == "leased":
                mend = "it is being tried just now"
            else:
                mend = f"there is nothing to {name}"
            lines.append(f"{key} is {state}: {mend}")
    return lines


def parse_key(text: str) -> tuple[int, int | None]:
    """Return message and ordinal of ``ID/N``, None for all of ``ID``. Raises `CommandFailed`."""
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
    known = [each.value for each in DeliveryState]
    for each in states:
        if each not in known:
            raise CommandFailed(f"--state {each}: none of {', '.join(known)}", Exit.USAGE)
    return replace(query, states=tuple(DeliveryState(each) for each in states))


def _moment(at: str | None, query: "QueueFilter | None" = None) -> float | None:
    if at is None:
        return None
    if query is not None and any(state.final for state in query.states):
        raise CommandFailed(
            "--at shows what waited then (due, held); how deliveries ended is in: postroad journey ID",
            Exit.USAGE,
        )
    return parse_moment(at)


def _warn_of_retention(office: "Office", moment: float) -> None:
    retain = office.config.storage.retain_seconds
    edge = office.clock.now() - retain
    if retain and moment < edge:
        complain(
            f"what ended before {when(edge)} UTC may be forgotten already (storage.retain_seconds), "
            "so this may show less than there was"
        )


def _say_when(moment: float | None) -> None:
    if moment is not None:
        print_line(f"as of {when(moment)} UTC")


def _at_to_plain(moment: float | None) -> dict[str, Any]:
    return {} if moment is None else {"at": moment}


def _counts(counts: "dict[DeliveryState, int]") -> dict[str, int]:
    return {state.value: count for state, count in counts.items()}


def _row(item: "QueueItem", holds: "Holds", classify: "Classify") -> tuple[str, ...]:
    from postroad.model import format_id

    sender = item.message.envelope.sender
    state, due, tries, recipient, last = _delivery_cells(item.delivery, holds, classify)
    key = f"{format_id(item.message.id)}/{item.delivery.ordinal}"
    stream = item.message.stream
    return key, state, due, tries, stream, str(sender or "<>"), recipient, last


def _delivery_cells(
    delivery: "Delivery", holds: "Holds", classify: "Classify"
) -> tuple[str, str, str, str, str]:
    from postroad.service.journeys import category_of

    waiting = not delivery.state.final
    last = str(delivery.last) if delivery.last else "-"
    category = category_of(delivery, classify)
    if category is not None:
        last = f"{category}: {last}"
    hold = holds.get((delivery.message, delivery.ordinal))
    if hold is not None:
        reason = "outcome unknown, it may have been delivered" if hold.unknown else f"by {hold.by}"
        last = f"held: {reason}; {last}" if delivery.last else f"held: {reason}"
    return (
        delivery.state.value,
        when(delivery.due_at) if waiting and delivery.due_at else "-",
        str(delivery.attempts),
        str(delivery.recipient),
        last,
    )


def _to_plain(item: "QueueItem", holds: "Holds", classify: "Classify") -> dict[str, object]:
    return {
        "message": _message_to_plain(item.message),
        **_delivery_to_plain(item.delivery, holds, classify),
    }


def _delivery_to_plain(
    delivery: "Delivery", holds: "Holds", classify: "Classify"
) -> dict[str, object]:
    from postroad.service.journeys import category_of, delivery_to_plain

    hold = holds.get((delivery.message, delivery.ordinal))
    held = None
    if hold is not None:
        reason = "unknown" if hold.unknown else "operator"
        held = {"because": reason, "by": hold.by or None, "at": hold.at}
    return {**delivery_to_plain(delivery, category_of(delivery, classify)), "held": held}


def _message_to_plain(message: "Message") -> dict[str, Any]:
    from postroad.model import format_id

    origin = message.origin
    return {
        "id": format_id(message.id),
        "message_id": message.message_id,
        "sender": str(message.envelope.sender or ""),
        "accepted_at": message.accepted_at,
        "size": message.content.size,
        "stream": message.stream,
        "server": origin.server.value,
        "client": origin.client,
        "account": origin.account or "",
    }
