"""What the lab shows: what listens where, commands to copy, journeys as they happen."""

import shlex
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from postroad.lab.road import Milestone, Road
from postroad.lab.site import Credentials, Site
from postroad.lab.world import World

COLOURS = {
    "accepted": "cyan",
    "answer": "cyan",
    "delivered": "green",
    "deposited": "green",
    "read": "bold green",
    "deferred": "yellow",
    "unknown": "magenta",
    "bounced": "red",
    "expired": "red",
    "dropped": "red",
    "lookup": "blue",
}
# Long lists of extensions, said twice per connection: in the JSON and in `postroad journey`.
LEFT_OUT = frozenset({"hello"})


def road_table(milestones: Sequence[Milestone], *, title: str = "", wrap: bool = True) -> Table:
    """Return the road as a table; without `wrap` each milestone takes one line, cut where too long."""
    table = Table(
        title=title or None, title_justify="left", expand=True, pad_edge=False, box=SIMPLE_HEAD
    )
    table.add_column("seconds", justify="right", no_wrap=True, style="dim")
    table.add_column("where", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("", overflow="fold" if wrap else "ellipsis", no_wrap=not wrap, ratio=1)
    for each in milestones:
        if each.what not in LEFT_OUT:
            table.add_row(
                f"{each.seconds:.3f}",
                each.where,
                Text(each.what, COLOURS.get(each.what, "")),
                Text(each.text),
            )
    return table


def road_lines(milestones: Sequence[Milestone]) -> list[str]:
    """Return the road as plain lines, for pipes and files."""
    width = max((len(each.where) for each in milestones), default=0)
    return [
        f"{each.seconds:9.3f} s  {each.where:<{width}}  {each.what:<10} {each.text}"
        for each in milestones
        if each.what not in LEFT_OUT
    ]


def show_road(console: Console, road: Road) -> None:
    """Print the road of one message, and whether it was good."""
    if console.is_terminal:
        title = f"{road.sender} → {road.recipient}, {road.queue_id}"
        console.print(road_table(road.milestones, title=title))
    else:
        for line in road_lines(road.milestones):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    if road.good:
        verdict = Text(
            f"delivered and read in {road.seconds:.3f} s: {road.sent_octets} octets as they were sent, "
            f"plus {', '.join(road.added)}",
            "green",
        )
    else:
        verdict = Text(f"failed: {road.problem}", "bold red")
    console.print(verdict, soft_wrap=True)


def where_table(world: World) -> Table:
    """Return what listens where: a column for each mail system."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True, style="dim")
    for domain in world.sites:
        table.add_column(domain, no_wrap=True)
    sites = list(world.sites.values())
    table.add_row("name", *(site.hostname for site in sites))
    for what, service in (
        ("MX (SMTP)", "mx"),
        ("submission, STARTTLS", "submission"),
        ("submission, TLS", "submissions"),
        ("POP3, STLS", "pop3"),
        ("POP3, TLS", "pop3s"),
    ):
        table.add_row(what, *(_place(site, service) for site in sites))
    for number in range(max(len(site.accounts) for site in sites)):
        accounts = [site.accounts[number : number + 1] for site in sites]
        table.add_row("account", *(found[0].address if found else "" for found in accounts))
        table.add_row("password", *(found[0].password if found else "" for found in accounts))
    return table


def _place(site: Site, service: str) -> str:
    host, port = getattr(site, service)
    return f"{host}:{port}"


def commands(world: World, sender: str, recipient: str) -> list[tuple[str, str]]:
    """Return ready command lines by what they do. Some use files that `write_files` makes."""
    alice, bob = world.credentials(sender), world.credentials(recipient)
    sending, reading = world.site_of(sender), world.site_of(recipient)
    ca = str(world.ca.root_file)
    smtp = f"{sending.submission[0]}:{sending.submission[1]}"
    pop3 = f"{reading.pop3[0]}:{reading.pop3[1]}"
    letter = str(world.directory / "letter.eml")
    return [
        (
            "send (swaks)",
            f"swaks --server {smtp} --tls --auth PLAIN --auth-user {alice.address} "
            f"--auth-password {alice.password} --from {sender} --to {recipient}",
        ),
        (
            "send (curl)",
            f"curl --ssl-reqd --cacert {_q(ca)} --user {alice.address}:{alice.password} "
            f"--mail-from {sender} --mail-rcpt {recipient} -T {_q(letter)} smtp://{smtp}",
        ),
        (
            "send (msmtp)",
            f"msmtp --host={sending.submission[0]} --port={sending.submission[1]} --tls=on "
            f"--tls-trust-file={_q(ca)} --auth=plain --user={alice.address} "
            f"--passwordeval='echo {alice.password}' --from={sender} {recipient} < {_q(letter)}",
        ),
        (
            "read (curl)",
            f"curl --ssl-reqd --cacert {_q(ca)} --user {bob.address}:{bob.password} pop3://{pop3}/1",
        ),
        ("read and write (mutt)", f"mutt -F {_q(str(world.directory / 'muttrc'))}"),
        ("ask the DNS", f"dig @{world.dns.address} -p {world.dns.port} {_domain(recipient)} MX"),
    ]


def write_files(world: World, sender: str, recipient: str) -> list[Path]:
    """Write the letter and the muttrc that `commands` name."""
    bob = world.credentials(recipient)
    site = world.site_of(recipient)
    letter = world.directory / "letter.eml"
    letter.write_bytes(
        f"From: {sender}\r\nTo: {recipient}\r\nSubject: A letter\r\n\r\nHello.\r\n".encode()
    )
    muttrc = world.directory / "muttrc"
    muttrc.write_text(_muttrc(site, bob, world.ca.root_file), encoding="utf-8")
    muttrc.chmod(0o600)
    return [letter, muttrc]


def _muttrc(site: Site, account: Credentials, ca_file: Path) -> str:
    user = account.address.replace("@", "%40")
    return f"""\
set from = "{account.address}"
set ssl_force_tls = yes
set ssl_starttls = yes
set certificate_file = "{ca_file}"
set pop_user = "{account.address}"
set pop_pass = "{account.password}"
set spoolfile = "pop://{user}@{site.pop3[0]}:{site.pop3[1]}/"
set smtp_url = "smtp://{user}@{site.submission[0]}:{site.submission[1]}/"
set smtp_pass = "{account.password}"
set record = ""
"""


def opening(world: World) -> RenderableType:
    """Return the panel that the interactive lab begins with."""
    more = Text(
        f"\nDNS: {world.dns.address}:{world.dns.port}\ncertificate authority: {world.ca.root_file}",
        overflow="fold",
    )
    return Panel(Group(where_table(world), more), title="a private internet on loopback")


def command_lines(world: World, sender: str, recipient: str) -> RenderableType:
    """Return the commands to copy: outside of any frame, so that whole lines can be marked."""
    lines = Text()
    for what, command in commands(world, sender, recipient):
        lines.append(f"# {what}\n", "dim")
        lines.append(f"{command}\n")
    return lines


class LiveView:
    """The newest milestones of all journeys, for `rich.live.Live`."""

    def __init__(self, rows: int = 18) -> None:
        self._rows: deque[Milestone] = deque(maxlen=rows)

    def add(self, milestone: Milestone) -> None:
        """Show one more."""
        self._rows.append(milestone)

    def __rich__(self) -> RenderableType:
        """Called by rich."""
        if not self._rows:
            return Text("journeys appear here; Ctrl-C ends the lab", "dim")
        return road_table(tuple(self._rows), title="journeys (Ctrl-C ends the lab)", wrap=False)


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _q(text: str) -> str:
    return shlex.quote(text)
