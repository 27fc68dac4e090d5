"""What really happened, noted from outside of the systems: the book that the invariants balance."""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from postroad.model import (
    Accepted,
    Attempted,
    Deposited,
    Expunged,
    Group,
    Message,
    ServerKind,
    parse_id,
)
from postroad.ports import Entry
from tests.sim.clients import Letter, Reading
from tests.sim.disk import Disk
from tests.sim.receivers import Took

_RECEIVED = re.compile(
    rb"^Received:(?:[^\r\n]|\r\n[ \t])*?\bby (\S+)(?:[^\r\n]|\r\n[ \t])*? id (\w{13})",
    re.M,
)
_NUMBER = re.compile(rb"^X-Sim: (\d+)\r$", re.M)


class Taking(Struct, frozen=True):
    """Somebody took responsibility for a message of `system` for a recipient, at `at`."""

    at: float
    by: str
    octets: bytes
    in_doubt: bool = False  # it was refused, and found after a crash


class Ending(Struct, frozen=True):
    """A life ended; `clean`: it was asked to, and stored all that it knew."""

    at: float
    system: str
    clean: bool


class Book:
    """Facts, in the order in which they came about. Systems go by their host names."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.readings: list[tuple[str, Reading]] = []
        self.takings: dict[tuple[str, int, str], list[Taking]] = defaultdict(list)
        self.attempts: dict[tuple[str, int], list[tuple[float, Attempted]]] = defaultdict(list)
        self.deposits: dict[tuple[str, int, int], int] = defaultdict(int)
        self.entries: dict[tuple[str, int, int], Entry] = {}
        self.expunged: dict[tuple[str, int], set[int]] = defaultdict(set)
        self.endings: list[Ending] = []
        self.messages: dict[tuple[str, int], Message] = {}
        self.by_letter: dict[int, list[tuple[str, int]]] = defaultdict(list)
        self.problems: list[str] = []
        self.in_doubt: set[tuple[str, int]] = set()
        self._finding = False
        self._next_uid: dict[tuple[str, int], int] = defaultdict(lambda: 1)

    @contextmanager
    def found_whole(self) -> Iterator[None]:
        """What is committed meanwhile was refused to those who asked for it."""
        self._finding = True
        try:
            yield
        finally:
            self._finding = False

    def complain(self, promise: int, text: str) -> None:
        """Note a broken promise (0: none of the seven)."""
        self.problems.append(f"promise {promise}: {text}" if promise else text)

    def took(self, took: Took) -> None:
        """A scripted receiver took a message."""
        source = _hops(took.data)[:1]
        for system, number in source:
            for recipient in took.recipients:
                key = (system, number, recipient.decode().lower())
                self.takings[key].append(Taking(took.at, took.host, took.data))

    def committed(self, disk: Disk, group: Group, now: float) -> None:
        """A group became durable."""
        name = disk.name
        for change in group.changes:
            if isinstance(change, Accepted):
                self._accepted(disk, change, now)
            elif isinstance(change, Attempted):
                self.attempts[name, change.message].append((now, change))
            elif isinstance(change, Deposited):
                self.deposits[name, change.message, change.ordinal] += 1
                key = (name, change.mailbox)
                entries = disk.store.state.entries[change.mailbox]
                last = disk.store.state.mailboxes[change.mailbox].uid_next
                for uid in range(self._next_uid[key], last):
                    self.entries[name, change.mailbox, uid] = entries[uid]
                self._next_uid[key] = last
            elif isinstance(change, Expunged):
                self.expunged[name, change.mailbox].update(change.uids)

    def _accepted(self, disk: Disk, change: Accepted, now: float) -> None:
        message = change.message
        self.messages[disk.name, message.id] = message
        if self._finding:
            self.in_doubt.add((disk.name, message.id))
        if message.origin.server is ServerKind.DSN:
            return
        data = disk.archive[message.content.id]
        hops = _hops(data)
        if len(hops) > 1:
            system, number = hops[1]
            for recipient in message.envelope.recipients:
                key = (system, number, str(recipient.address).lower())
                self.takings[key].append(Taking(now, disk.name, data, self._finding))
        elif found := _NUMBER.search(data[: data.find(b"\r\n\r\n") + 2]):
            self.by_letter[int(found[1])].append((disk.name, message.id))


def _hops(data: bytes) -> list[tuple[str, int]]:
    """Return the systems and queue ids of the Received fields, the newest first."""
    head = data[: data.find(b"\r\n\r\n") + 2]
    return [(found[1].decode(), parse_id(found[2].decode())) for found in _RECEIVED.finditer(head)]
