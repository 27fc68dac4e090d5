"""``postroad lab``: the private internet, to look at and to play with."""

import asyncio
import json as json_format
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from rich.console import Console
from rich.live import Live

from postroad.lab.addresses import HUMAN_BLOCK, NoRoom
from postroad.lab.clients import ClientFailed
from postroad.lab.panel import (
    LiveView,
    command_lines,
    opening,
    road_lines,
    show_road,
    write_files,
)
from postroad.lab.road import Milestone, travel
from postroad.lab.site import LabFailed, Site
from postroad.lab.world import World
from postroad.model import Accepted, Attempted, Change, Deposited
from postroad.ports import StorageError
from postroad.runtime.config import LogSection
from postroad.runtime.lifecycle import run
from postroad.runtime.logs import configure_logging
from postroad.service.errors import Refused

SENDER = "alice@sender.test"
RECIPIENT = "bob@receiver.test"
EX_SOFTWARE = 70
_POLL_SECONDS = 0.1


def lab(*, once: bool = False, json: bool = False, keep: Path | None = None) -> int:
    """Open the lab until Ctrl-C, or with `once` send one message along the whole road.

    `json` prints data instead of words, `keep` is a directory for what is otherwise temporary. Returns
    0, or 70 where the message did not arrive as it was sent.
    """
    console = Console(soft_wrap=False)
    configure_logging(LogSection(level="error"))
    try:
        work = _once(console, json, keep) if once else _open(console, json, keep)
        code: int = run(work)
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        raise  # nobody reads any more; the command line knows what to do
    except (NoRoom, LabFailed, ClientFailed, StorageError, OSError) as error:
        print(f"postroad lab: {error}", file=sys.stderr)
        return EX_SOFTWARE
    return code


async def _once(console: Console, json: bool, keep: Path | None) -> int:
    async with World(directory=keep, block=HUMAN_BLOCK) as world:
        await _add_domains(world)
        road = await travel(world, SENDER, RECIPIENT)
        if json:
            _print_json({**road.to_plain(), "systems": _systems(world)})
        else:
            show_road(console, road)
    return 0 if road.good else EX_SOFTWARE


async def _open(console: Console, json: bool, keep: Path | None) -> int:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    # A minute of TTL, as in real life: the look-ups of the second message come from the cache.
    async with World(directory=keep, block=HUMAN_BLOCK, ttl=60, retry_seconds=5.0) as world:
        await _add_domains(world)
        write_files(world, SENDER, RECIPIENT)
        if json:
            _print_json({"systems": _systems(world)})
            await _follow(world, ended, lambda each: _print_json(_plain(each)))
            return 0
        console.print(opening(world))
        console.print(command_lines(world, SENDER, RECIPIENT), soft_wrap=True)
        if not console.is_terminal:
            await _follow(world, ended, lambda each: print(*road_lines([each]), flush=True))
            return 0
        view = LiveView(max(6, console.height - 6))
        with Live(view, console=console, refresh_per_second=10):
            await _follow(world, ended, view.add)
    return 0


async def _add_domains(world: World) -> None:
    account, _, domain = SENDER.rpartition("@")
    await world.add_domain(domain, [account], mta_sts="enforce")
    account, _, domain = RECIPIENT.rpartition("@")
    await world.add_domain(domain, [account], dane=True)


async def _follow(world: World, ended: asyncio.Event, show: Callable[[Milestone], None]) -> None:
    """Show everything that happens at any site until `ended`."""
    began = time.time()
    watches = [_Watch(domain, site, began) for domain, site in world.sites.items()]
    while not ended.is_set():
        fresh = [each for watch in watches async for each in watch.fresh()]
        for each in sorted(fresh, key=lambda milestone: milestone.seconds):
            show(each)
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await ended.wait()
        except TimeoutError:
            pass


class _Watch:
    """What happens at one site."""

    def __init__(self, domain: str, site: Site, began: float) -> None:
        self._domain = domain
        self._site = site
        self._began = began
        self._sequence = 0
        self._shown: dict[int, int] = {}  # message -> lines of its journey

    async def fresh(self) -> AsyncIterator[Milestone]:
        """Yield what was not yielded yet."""
        office = self._site.office
        events = await office.store.journey.after(self._sequence)
        if not events:
            return
        self._sequence = events[-1].sequence
        messages = dict.fromkeys(_message(event.change) for event in events)
        for message in messages:
            if message is None:
                continue
            try:
                journey = await office.journeys.of(message)
            except Refused:
                continue
            for line in journey.lines[self._shown.get(message, 0) :]:
                yield Milestone(round(line.at - self._began, 6), self._domain, line.what, line.text)
            self._shown[message] = len(journey.lines)


def _message(change: Change) -> int | None:
    """The message that a change tells of."""
    match change:
        case Accepted():
            return change.message.id
        case Attempted() | Deposited():
            return change.message
        case _:
            return None


def _systems(world: World) -> list[dict[str, object]]:
    """What listens where, for scripts."""
    systems: list[dict[str, object]] = []
    for domain, site in world.sites.items():
        systems.append(
            {
                "domain": domain,
                "hostname": site.hostname,
                "ca_file": str(world.ca.root_file),
                "dns": f"{world.dns.address}:{world.dns.port}",
                "accounts": {each.address: each.password for each in site.accounts},
                **{
                    service: f"{where[0]}:{where[1]}"
                    for service, where in (
                        ("mx", site.mx),
                        ("submission", site.submission),
                        ("submissions", site.submissions),
                        ("pop3", site.pop3),
                        ("pop3s", site.pop3s),
                    )
                },
            }
        )
    return systems


def _plain(milestone: Milestone) -> dict[str, object]:
    return {
        "seconds": milestone.seconds,
        "where": milestone.where,
        "what": milestone.what,
        "text": milestone.text,
    }


def _print_json(value: object) -> None:
    print(json_format.dumps(value, ensure_ascii=False), flush=True)
