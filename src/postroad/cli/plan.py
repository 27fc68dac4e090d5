"""``postroad plan``: what would become of a message."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import clean, print_json, print_line, when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postroad.model import Address
    from postroad.runtime.config import Config
    from postroad.runtime.plan import Leg, Plan
    from postroad.service.preview import Preview
    from postroad.trust.dmarc import DmarcCheck


def plan(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The message; - is standard input.")],
    sender: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="ADDRESS", help="The envelope's sender; <> is the null sender."
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="ADDRESS", help="A recipient; may be repeated."),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", metavar="IP", help="An address that mail leaves from."),
    ] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Connect to the servers and greet them; send nothing.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Tell for a message, without sending it: for each recipient the way and when it would be there, and
    what receivers would say of its sender. Sender and recipients are those of the header if none are
    given. Ends with 67, 68 or 69 where it would fail, with 75 where it would be put off.
    """
    from postroad.cli.domain_check import parsed_addresses
    from postroad.runtime.lifecycle import run
    from postroad.runtime.privileges import become_owner
    from postroad.runtime.stranger import load_or_default

    message = _read(file)
    envelope = _envelope(message, sender, to or [])
    settings = load_or_default(config)
    become_owner(settings.server.data_dir)
    made: Plan = run(_make(settings, message, *envelope, parsed_addresses(address or ()), probe))
    if as_json:
        print_json(_to_plain(made))
    else:
        _show(made)
    code = _code(made)
    if code is not Exit.OK:
        raise typer.Exit(code)


async def _make(
    config: "Config",
    message: bytes,
    sender: "Address | None",
    recipients: "list[Address]",
    addresses: "Sequence[str]",
    probe: bool,
) -> "Plan":
    from postroad.runtime.outbound import make_resolver
    from postroad.runtime.plan import make_plan

    resolver = make_resolver(config)
    try:
        return await make_plan(
            config,
            message,
            sender,
            recipients,
            resolver=resolver,
            addresses=addresses,
            probe=probe,
        )
    finally:
        await resolver.close()


def _read(file: Path) -> bytes:
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    if data.count(b"\n") != data.count(b"\r\n") or b"\r" in data.replace(b"\r\n", b""):
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return data


def _envelope(
    message: bytes, sender: str | None, to: list[str]
) -> "tuple[Address | None, list[Address]]":
    from postroad.cli.mailtext import addresses, read_letter
    from postroad.message.header import Header
    from postroad.model import Address

    header = Header.parse(message)
    if sender is None:
        named = next(filter(None, map(header.get, ("return-path", "sender", "from"))), "")
        sender = next(addresses(named), "<>" if named.strip() == "<>" else "")
        if not sender:
            raise CommandFailed("the header names no sender; say --from", Exit.USAGE)
    recipients = to or read_letter(message).recipients()
    if not recipients:
        raise CommandFailed("the header names no recipients; say --to", Exit.USAGE)
    null = sender in ("", "<>")
    return None if null else Address.parse(sender), [Address.parse(each) for each in recipients]


def _code(made: "Plan") -> Exit:
    if made.refused:
        return Exit.NOUSER
    if any(leg.lead.refusal is not None for leg in made.legs):
        return Exit.NOHOST
    if made.fails:
        return Exit.UNAVAILABLE
    return Exit.TEMPFAIL if made.put_off else Exit.OK


def _show(made: "Plan") -> None:
    from postroad.model import DEFAULT_STREAM

    needs = [
        word
        for word, needed in (
            ("8BITMIME", made.traits.eight_bit),
            ("SMTPUTF8", made.traits.utf8_header),
        )
        if needed
    ]
    print_line(f"sender      {made.sender or '<>'}")
    if made.stream != DEFAULT_STREAM:
        print_line(f"stream      {made.stream}")
    if made.return_path is not None:
        base = made.return_path
        print_line(
            f"leaves as   {base.quoted_local_part}+MARK@{base.domain}: what comes back is noted"
        )
    print_line(
        f"size        {made.traits.octets} octets{', needs ' * bool(needs)}{', '.join(needs)}"
    )
    if made.store:
        print_line(f"note        only the DNS was asked: {made.store}", style="yellow")
    for problem in made.problems:
        print_line(f"PROBLEM     {clean(problem)}", style="red")
    for address, reply in made.refused:
        print_line(f"\nto          {address}")
        print_line(f"PROBLEM     {clean(str(reply))}", style="red")
    for leg in made.legs:
        _show_leg(leg)
    for each in made.previews:
        _show_preview(each)
    if made.fails:
        print_line("\nit would fail", style="red")
    elif made.put_off:
        print_line(
            "\nit would be put off, and arrive when the destination takes mail", style="yellow"
        )
    else:
        print_line("\nit would arrive, as far as can be told", style="green")


def _show_leg(leg: "Leg") -> None:
    from postroad.model import LinkPolicy
    from postroad.service.links import rule_words

    print_line(f"\nto          {leg.recipient}")
    lead, route = leg.lead, leg.lead.route
    if lead.address != leg.recipient:
        print_line(f"leads to    {lead.address}")
    print_line(f"split       {lead.address.local_part} at {lead.address.domain}")
    if lead.mailbox is not None:
        print_line("way         a mailbox here")
    elif lead.ours:
        print_line("way         taken here: bounces and complaints about mail of ours")
    if route is not None:
        print_line(f"way         by {route.kind.value}, TLS {route.tls.value} by the settings")
        for host in route.hosts:
            found = ", ".join(host.addresses) or host.problem or "no address"
            print_line(f"host        {host.preference} {host.name}: {found}, port {route.port}")
    for link in leg.links:
        print_line(f"link        {link.host}: {rule_words(LinkPolicy(link.policy))}")
        if link.refusal:
            print_line(f"PROBLEM     {clean(link.refusal)}", style="red")
    if leg.probe is not None and not leg.probe.failure:
        size = f", takes {leg.probe.max_octets} octets" if leg.probe.max_octets else ""
        tls = leg.probe.tls or "no TLS"
        print_line(f"answers     {clean(leg.probe.host)}: {tls}{size}")
    if leg.waiting.deliveries or leg.waiting.held:
        last = f"; last said: {clean(str(leg.waiting.last))}" if leg.waiting.last else ""
        print_line(
            f"waiting     {leg.waiting.deliveries} deliveries, {leg.waiting.held} held{last}"
        )
    print_line(f"expected    {leg.expected}")
    for note in leg.notes:
        print_line(f"note        {clean(note)}", style="yellow")
    for problem in leg.problems:
        print_line(f"PROBLEM     {clean(problem)}", style="red")


def _show_preview(each: "Preview") -> None:
    print_line(f"\nat the receiver, from {each.address}:")
    print_line(f"spf         {each.spf.result.value}: {clean(each.spf.reason)}")
    for checked in each.dkim:
        print_line(
            f"dkim        {checked.result.value}: {clean(checked.reason)}"
            f" (d={checked.domain} s={checked.selector})"
        )
    if not each.dkim:
        print_line("dkim        none: it has no signature")
    dmarc = each.dmarc
    print_line(
        f"dmarc       {dmarc.result.value}{clean(_asked(dmarc))}: "
        f"{clean('; '.join(dmarc.reasons))}",
        style="red" if each.fails else "yellow" if each.doubtful else "green",
    )
    if each.doubtful and not each.fails:
        print_line(
            "note        nothing proves the author's domain: it may land in Junk", style="yellow"
        )


def _to_plain(made: "Plan") -> dict[str, Any]:
    return {
        "sender": str(made.sender) if made.sender else None,
        "stream": made.stream,
        "return_path": str(made.return_path) if made.return_path else None,
        "octets": made.traits.octets,
        "eight_bit": made.traits.eight_bit,
        "smtputf8": made.traits.utf8_header,
        "note": made.store or None,
        "problems": list(made.problems),
        "refused": [
            {"address": str(address), "reply": str(reply)} for address, reply in made.refused
        ],
        "recipients": [_leg_to_plain(each) for each in made.legs],
        "receivers": [_preview_to_plain(each) for each in made.previews],
        "fails": made.fails,
        "put_off": made.put_off,
    }


def _leg_to_plain(leg: "Leg") -> dict[str, Any]:
    from msgspec import to_builtins

    from postroad.cli.route import lead_to_plain

    waiting = leg.waiting
    return {
        "recipient": str(leg.recipient),
        "local_part": leg.lead.address.local_part,
        "domain": leg.lead.address.domain,
        **lead_to_plain(leg.lead),
        "waiting": {
            "deliveries": waiting.deliveries,
            "held": waiting.held,
            "failing": waiting.failing,
            "next_try": when(waiting.next_at) if waiting.next_at else None,
            "last": str(waiting.last) if waiting.last else None,
        },
        "links": to_builtins(leg.links),
        "probe": to_builtins(leg.probe),
        "expected": leg.expected,
        "notes": list(leg.notes),
        "problems": list(leg.problems),
    }


def _asked(dmarc: "DmarcCheck") -> str:
    """What the owners of the author's domains ask for where it fails, whether it does or not."""
    asked = [
        f"{each.tag}={each.published.value} of {each.policy_domain}"
        for each in dmarc.domains
        if each.tag
    ]
    return f" ({', '.join(asked)})" if asked else ""


def _preview_to_plain(each: "Preview") -> dict[str, Any]:
    return {
        "from": each.address,
        "spf": {"result": each.spf.result.value, "reason": each.spf.reason},
        "dkim": [
            {
                "result": one.result.value,
                "domain": one.domain,
                "selector": one.selector,
                "reason": one.reason,
            }
            for one in each.dkim
        ],
        "dmarc": {
            "result": each.dmarc.result.value,
            "policy": each.dmarc.policy.value,
            "published": [
                {"domain": one.policy_domain, "tag": one.tag, "policy": one.published.value}
                for one in each.dmarc.domains
                if one.tag
            ],
            "reasons": list(each.dmarc.reasons),
        },
        "fails": each.fails,
        "doubtful": each.doubtful,
    }
