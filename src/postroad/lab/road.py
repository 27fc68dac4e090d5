"""The whole road of one message, as seen from everywhere: both clients and both mail systems."""

import time
from collections.abc import Iterable, Sequence

from msgspec import Struct, to_builtins

from postroad.lab.clients import Said
from postroad.lab.site import LabFailed, Site
from postroad.lab.world import Sent, World
from postroad.message.header import Header, header_end
from postroad.service.journeys import Journey

TRACE_FIELDS = frozenset(
    {"return-path", "delivered-to", "received", "authentication-results", "dkim-signature"}
)
_SETTLE_SECONDS = 20.0


class Milestone(Struct, frozen=True):
    """One thing that happened: seconds after the start, where (``client`` or a domain), what, words."""

    seconds: float
    where: str
    what: str
    text: str


class Road(Struct, frozen=True):
    """What became of one message. `problem` is empty where the bytes that were read are those that were
    sent, plus trace header fields, whose names are in `added`.
    """

    queue_id: str
    sender: str
    recipient: str
    seconds: float
    sent_octets: int
    read_octets: int
    added: tuple[str, ...]
    problem: str
    milestones: tuple[Milestone, ...]

    @property
    def good(self) -> bool:
        """Whether all went as it should."""
        return not self.problem

    def to_plain(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        return {"ok": self.good, **to_builtins(self)}


async def travel(world: World, sender: str, recipient: str) -> Road:
    """Send one message and follow it to its reader. Raises `LabFailed`, `ClientFailed`."""
    began = time.time()
    sent = await world.send(
        sender,
        recipient,
        subject="The whole road",
        text="Hello from the lab.\n.A line that begins with a dot\n..and one with two\n\nGrüße\n",
    )
    await world.wait_for(recipient, timeout_seconds=_SETTLE_SECONDS)
    journey = await world.settled(sent, timeout_seconds=_SETTLE_SECONDS)
    arrival = await _arrival(world.site_of(recipient), journey)
    messages, said = await world.read(recipient)
    stories = [
        _told(sent.said, "client"),
        _walked(journey, sender.rpartition("@")[2]),
        _walked(arrival, recipient.rpartition("@")[2]),
        _told(said, "client"),
    ]
    return Road(
        queue_id=str(sent),
        sender=sender,
        recipient=recipient,
        seconds=round(time.time() - began, 6),
        sent_octets=len(sent.data),
        read_octets=len(messages[-1]),
        added=_added(sent, messages[-1]),
        problem=_problem(sent, messages),
        milestones=_in_order(stories, began),
    )


async def _arrival(site: Site, departure: Journey) -> Journey:
    """The same message's journey where it arrived, known by its Message-ID."""
    found = await site.office.journeys.find(message_id=departure.message.message_id, limit=1)
    if not found:
        raise LabFailed(f"{site.hostname} has no journey of {departure.message.message_id}")
    return await site.office.journeys.of(found[0].id)


def _told(said: Sequence[Said], where: str) -> list[tuple[float, str, str, str]]:
    return [(each.at, where, each.what, each.text) for each in said]


def _walked(journey: Journey, where: str) -> list[tuple[float, str, str, str]]:
    return [(line.at, where, line.what, line.text) for line in journey.lines]


def _in_order(
    stories: Iterable[list[tuple[float, str, str, str]]], began: float
) -> tuple[Milestone, ...]:
    """Merge by time; what one observer tells keeps its order, since sorting is stable."""
    lines = [line for story in stories for line in story]
    lines.sort(key=lambda line: line[0])
    return tuple(
        Milestone(round(at - began, 6), where, what, text) for at, where, what, text in lines
    )


def _added(sent: Sent, read: bytes) -> tuple[str, ...]:
    """The names of the header fields in front of what was sent."""
    prefix = read[: max(0, len(read) - len(sent.data))]
    if not prefix:
        return ()
    return tuple(field.name for field in Header.parse(prefix + b"\r\n").fields)


def _problem(sent: Sent, messages: Sequence[bytes]) -> str:
    """Return what is wrong with what was read, ``""`` if nothing."""
    if len(messages) != 1:
        return f"{len(messages)} messages in the mailbox instead of one"
    read = messages[0]
    if not read.endswith(sent.data):
        return f"the {len(read)} octets that were read do not end with the {len(sent.data)} sent"
    strange = [name for name in _added(sent, read) if name.lower() not in TRACE_FIELDS]
    if strange:
        return f"header fields beyond the trace were added: {', '.join(strange)}"
    if header_end(read) != len(read) - len(sent.data) + header_end(sent.data):
        return "a blank line was added before the header"
    if read.count(b"Received:") < 2:
        return "a server left no Received field"
    return ""
