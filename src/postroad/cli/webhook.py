"""``postroad webhook``: which web servers are told what became of mail."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_line, print_table, when

if TYPE_CHECKING:
    from postroad.model import WebhookPost
    from postroad.runtime.office import Office
    from postroad.service.webhooks import WebhookShown

app = typer.Typer(no_args_is_help=True, help="Web servers that are told what became of mail.")

_ALL = "all"
Name = Annotated[str, typer.Argument(metavar="NAME")]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Your word for it.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="As in https://app.example/hook.")],
    events: Annotated[
        list[str] | None,
        typer.Option(
            "--event", metavar="KIND", help="Only such events; may be repeated. Default: all."
        ),
    ] = None,
    streams: Annotated[
        list[str] | None,
        typer.Option("--stream", metavar="STREAM", help="Only this stream; may be repeated."),
    ] = None,
    domains: Annotated[
        list[str] | None,
        typer.Option(
            "--domain", metavar="DOMAIN", help="Only mail from this domain; may be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Make a webhook and print the secret that its posts are signed with."""
    from postroad.model import WebhookKind

    known = [kind.value for kind in WebhookKind]
    for event in events or ():
        if event not in known:
            raise CommandFailed(f"--event {event!r}: there are only {', '.join(known)}", Exit.USAGE)
    kinds = [WebhookKind(event) for event in events or ()]

    async def use(office: "Office") -> str:
        _, secret = await office.webhooks.add(
            name, url, kinds=kinds, streams=streams or (), domains=domains or ()
        )
        return secret

    secret = in_office(config, use)
    if as_json:
        print_json({"name": name.strip(), "secret": secret})
    else:
        print_line(secret)


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """List the webhooks, with how many posts wait and how many were given up."""

    async def use(office: "Office") -> "list[WebhookShown]":
        return await office.webhooks.all()

    found = in_office(config, use)
    if as_json:
        print_json([_shown(each) for each in found])
        return
    rows = [
        (each.webhook.name, each.webhook.url, str(each.waiting), str(each.dead)) for each in found
    ]
    print_table(("NAME", "URL", "WAITING", "DEAD"), rows, empty="there are no webhooks")


@app.command("show")
def show(name: Name, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Show one webhook."""

    async def use(office: "Office") -> "WebhookShown":
        return await office.webhooks.get(name)

    found = _shown(in_office(config, use))
    if as_json:
        print_json(found)
        return
    for word, value in found.items():
        if isinstance(value, list):
            value = " ".join(value) or _ALL
        elif word.endswith(("_at", "_until")):
            value = when(value) if value else "-"
        print_line(f"{word}: {value}")


@app.command("test")
def try_out(name: Name, config: ConfigFile = None) -> None:
    """Post an event of the type "test" now, and say what the receiver made of it."""

    async def use(office: "Office") -> str:
        from postroad.runtime.outbound import make_network, make_resolver
        from postroad.runtime.webhooks import make_poster

        post = make_poster(
            office.config,
            office.webhooks,
            office.clock,
            make_resolver(office.config),
            make_network(office.config),
        )
        return await office.webhooks.test(name, post)

    failure = in_office(config, use)
    if failure:
        raise CommandFailed(f"{name} did not take it: {failure}", Exit.UNAVAILABLE)
    print_line(f"{name} took it")


@app.command("rotate")
def rotate(
    name: Name,
    overlap_hours: Annotated[
        float,
        typer.Option("--overlap-hours", min=0.0, help="How long the old secret is good as well."),
    ] = 24.0,
    config: ConfigFile = None,
) -> None:
    """Print a new secret. Posts are signed with both, until the old one ends."""

    async def use(office: "Office") -> str:
        return await office.webhooks.rotate(name, overlap_hours * 3600)

    print_line(in_office(config, use))


@app.command("remove")
def remove(name: Name, config: ConfigFile = None) -> None:
    """Remove a webhook, with all that waits for it."""

    async def use(office: "Office") -> None:
        await office.webhooks.remove(name)

    in_office(config, use)
    print_line(f"{name} removed")


@app.command("dead")
def dead(
    name: Name,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List posts that were given up, the oldest first."""

    async def use(office: "Office") -> "list[WebhookPost]":
        return await office.webhooks.dead(name, limit)

    found = in_office(config, use)
    if as_json:
        print_json([_dead(each) for each in found])
        return
    rows = [
        (each.event, each.kind.value, when(each.dead_at), str(each.tries), each.failure)
        for each in found
    ]
    head = ("EVENT", "KIND", "GIVEN UP (UTC)", "TRIES", "WHY")
    print_table(head, rows, empty="nothing was given up")


@app.command("replay")
def replay(
    name: Name,
    events: Annotated[
        list[str] | None, typer.Argument(metavar="[EVENT]...", help="Default: all.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Send posts again that were given up."""

    async def use(office: "Office") -> int:
        return await office.webhooks.replay(name, events or ())

    print_line(f"{in_office(config, use)} to be sent again")


def _shown(shown: "WebhookShown") -> dict[str, Any]:
    hook = shown.webhook
    return {
        "name": hook.name,
        "url": hook.url,
        "events": [kind.value for kind in hook.kinds],
        "streams": list(hook.streams),
        "domains": list(hook.domains),
        "created_at": hook.created_at,
        "old_secret_until": hook.previous_until,
        "waiting": shown.waiting,
        "dead": shown.dead,
    }


def _dead(post: "WebhookPost") -> dict[str, Any]:
    return {
        "event": post.event,
        "kind": post.kind.value,
        "dead_at": post.dead_at,
        "tries": post.tries,
        "failure": post.failure,
        "body": post.body,
    }
