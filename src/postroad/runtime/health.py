"""What there is to say of a server's health: certificate, disk, clock, ports, lists, queue.

Each look is bounded in time and raises nothing: what cannot be looked at is a finding, too.
"""

import asyncio
import contextlib
import ctypes
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from postroad.model import DeliveryState
from postroad.policy.checks.dns_lists import list_name, parse_dns_list
from postroad.ports import AnswerStatus, Resolver, StorageError
from postroad.runtime.certificate import read_facts
from postroad.runtime.config import AcmeMode
from postroad.runtime.metrics.live import read
from postroad.runtime.office import Office
from postroad.runtime.own_setup import outgoing_addresses
from postroad.service.domain_check import Finding, Level

LATE_SECONDS = 300.0
_ANSWER_SECONDS = 5.0
_PORT_SECONDS = 2.0
_DAY_SECONDS = 86_400.0
_MIB = 2**20
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # where one connects to what is bound so
_TIME_ERROR = 5  # adjtimex(2): the clock is not kept

OK, WARNING, PROBLEM = Level.OK, Level.WARNING, Level.PROBLEM


async def look_at_health(
    office: Office, resolver: Resolver, listening: Mapping[str, Sequence[tuple[str, int]]]
) -> list[Finding]:
    """Return what there is to say; `listening` are the ports that this process has bound."""
    found = await asyncio.gather(
        asyncio.to_thread(certificate, office),
        asyncio.to_thread(disk, office),
        asyncio.to_thread(clock),
        queue(office),
        ports(listening),
        lists(office, resolver),
    )
    return [finding for part in found for finding in part]


def certificate(office: Office) -> list[Finding]:
    """How long it is good, and whether anybody trusts it."""
    config = office.config
    files = config.certificate_files
    why = (
        "Without a certificate that is good, other servers and programs do not speak to us safely."
    )
    if files is None:
        return [Finding("certificate", WARNING, "none is set: nothing is encrypted", why)]
    try:
        facts = read_facts(files[0].read_bytes())
    except (OSError, ValueError) as error:
        return [Finding("certificate", PROBLEM, f"{files[0]} cannot be read: {error}", why)]
    days = (facts.ends - office.clock.now()) / _DAY_SECONDS
    text = f"for {', '.join(facts.names[:5])}, until {_day(facts.ends)} ({days:.0f} days)"
    if days <= 0:
        return [Finding("certificate", PROBLEM, f"it ended on {_day(facts.ends)}", why)]
    if facts.self_signed:
        return [Finding("certificate", WARNING, f"signed by itself, {text}", why)]
    if days < (7 if config.tls.acme is not AcmeMode.OFF else 21):
        return [Finding("certificate", WARNING, f"it ends soon: {text}", why)]
    return [Finding("certificate", OK, text)]


def disk(office: Office) -> list[Finding]:
    """How much room there is where mail is kept."""
    directory = office.config.server.data_dir
    try:
        usage = shutil.disk_usage(directory)
        inodes = os.statvfs(directory)
    except OSError as error:
        return [Finding("disk", PROBLEM, f"{directory}: {error.strerror}")]
    share = usage.free / usage.total if usage.total else 0.0
    text = (
        f"{usage.free / _MIB / 1024:.1f} GiB free of {usage.total / _MIB / 1024:.1f} ({directory})"
    )
    why = "Where no room is left, no mail is taken (452) until there is some."
    if share < 0.03 or usage.free < 200 * _MIB:
        return [Finding("disk", PROBLEM, text, why)]
    if share < 0.1 or (inodes.f_files and inodes.f_favail / inodes.f_files < 0.05):
        return [Finding("disk", WARNING, text, why)]
    return [Finding("disk", OK, text)]


def clock() -> list[Finding]:
    """Whether something keeps the clock, as the kernel says (Linux)."""
    why = "Signatures, tokens and logs are of no use with a wrong time; run chrony or systemd-timesyncd."
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        state = libc.adjtimex(ctypes.create_string_buffer(512))  # all 0: nothing is set
    except (OSError, AttributeError):
        return [Finding("clock", OK, "this system does not say whether its clock is kept")]
    if state == _TIME_ERROR:
        return [Finding("clock", WARNING, "nothing keeps the clock of this machine right", why)]
    return [Finding("clock", OK, "the clock is kept right")]


async def queue(office: Office) -> list[Finding]:
    """Whether anybody works on it, and how long what is due has been waiting."""
    now = office.clock.now()
    try:
        counts = await office.desk.counts()
        due = await office.store.queue.next_due()
    except StorageError as error:
        return [Finding("queue", PROBLEM, str(error))]
    late = now - due if due is not None else 0.0
    waiting = counts.get(DeliveryState.DUE, 0) + counts.get(DeliveryState.LEASED, 0)
    text = f"{waiting} wait, {counts.get(DeliveryState.HELD, 0)} are held"
    found = []
    if late > LATE_SECONDS:
        why = "Look at Queue why it does not move; a busy server may only be slow."
        text = f"{text}; the oldest has been due for {late / 60:.0f} minutes"
        found.append(Finding("queue", WARNING, text, why))
    else:
        found.append(Finding("queue", OK, text))
    processes = len(read(office.config.server.data_dir, now))
    words = "1 process works" if processes == 1 else f"{processes} processes work"
    found.append(Finding("processes", OK if processes else PROBLEM, f"{words} on this store"))
    return found


async def ports(listening: Mapping[str, Sequence[tuple[str, int]]]) -> list[Finding]:
    """Whether what we listen on can be reached from this machine."""
    places = [(name, *place) for name, found in listening.items() for place in found]
    failures = await asyncio.gather(*(_reach(host, port) for _, host, port in places))
    found = []
    for (name, host, port), failure in zip(places, failures, strict=True):
        text = f"{name} on {f'[{host}]' if ':' in host else host}:{port}"
        if failure:
            why = "Nobody gets in there; see the log, and limits.max_connections."
            found.append(Finding("ports", PROBLEM, f"{text}: {failure}", why))
        else:
            found.append(Finding("ports", OK, text))
    return found


async def _reach(host: str, port: int) -> str:
    """Connect and leave; return what went wrong."""
    try:
        async with asyncio.timeout(_PORT_SECONDS):
            _, writer = await asyncio.open_connection(_ANY.get(host, host), port)
    except TimeoutError:
        return f"no connection in {_PORT_SECONDS:.0f} s"
    except OSError as error:
        return error.strerror or str(error)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ""


async def lists(office: Office, resolver: Resolver) -> list[Finding]:
    """Whether addresses that mail leaves from are on the block lists that we ask ourselves."""
    config = office.config
    zones = [parse_dns_list(text) for text in config.abuse.dns_block_lists]
    if not zones:
        text = "no list is asked about our addresses, as abuse.dns_block_lists names none"
        return [Finding("lists", OK, text)]
    why = "Servers that ask this list refuse our mail; its operator says how to get off."
    found = []
    addresses = await outgoing_addresses(config, resolver)
    for address in addresses:
        for zone in zones:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    answer = await resolver.lookup(list_name(address, zone.zone), "A")
            except TimeoutError:
                found.append(Finding("lists", WARNING, f"{zone.zone} does not answer"))
                continue
            if answer.status is AnswerStatus.FAILED:
                found.append(Finding("lists", WARNING, f"{zone.zone} does not answer"))
            elif any(map(zone.counts, answer.records)):
                found.append(Finding("lists", PROBLEM, f"{address} is on {zone.zone}", why))
            else:
                found.append(Finding("lists", OK, f"{address} is not on {zone.zone}"))
    return found or [Finding("lists", WARNING, "the addresses that mail leaves from are not known")]


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
