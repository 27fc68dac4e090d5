"""The lists of who gets nothing of a stream any more: look, change, read and write them as CSV."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from itertools import islice
from typing import TextIO

from msgspec import Struct

from postroad.model import (
    DEFAULT_STREAM,
    MAX_EVIDENCE,
    Address,
    Group,
    Suppressed,
    Suppression,
    SuppressionReason,
    Unsuppressed,
)
from postroad.ports import Clock, Ledger, SuppressionStore
from postroad.service.errors import Refused
from postroad.service.suppression_csv import COLUMNS, line_of, line_of_entry, read_rows

_BATCH = 1_000
_BY_OWNER = (SuppressionReason.COMPLAINT, SuppressionReason.UNSUBSCRIBE)


class Imported(Struct, frozen=True):
    """What a table came to: how many `lines` it has, and how many addresses were not on the list before
    (of a dry run: would be `added`; one that is named twice, far apart, counts twice).
    """

    lines: int
    added: int


class Suppressions:
    """Steers the lists of the streams `known`, each with the domains whose mail belongs to it. Works on
    the store, so it needs no running server.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: SuppressionStore,
        clock: Clock,
        known: Mapping[str, Collection[str]],
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._known = {name: frozenset(domains) for name, domains in known.items()}

    def domains_of(self, stream: str) -> frozenset[str]:
        """Return the domains whose mail belongs to a stream. Raises `Refused`."""
        return self._known[self.stream(stream)]

    async def find(
        self,
        stream: str | None = None,
        address: str | None = None,
        limit: int = 100,
        *,
        after: tuple[str, str] = ("", ""),
    ) -> list[Suppression]:
        """Return entries by stream and address: of one stream, for a whole address or ``@domain``, those
        behind `after` (stream and folded address of an entry).

        Raises `Refused`, `StorageError`.
        """
        name = None if stream is None else self.stream(stream)
        return await self._store.page(name, address=address, after=after, limit=limit)

    async def add(
        self, addresses: Iterable[Address], stream: str, *, by: str, evidence: str = ""
    ) -> int:
        """Put addresses on the list of a stream; return how many were not there before.

        Raises `Refused`, `StorageError`.
        """
        name, now = self.stream(stream), self._clock.now()
        manual = SuppressionReason.MANUAL
        return await self._put(
            [Suppression(each, name, manual, evidence[:MAX_EVIDENCE], now) for each in addresses],
            by,
        )

    async def remove(
        self, addresses: Iterable[Address], stream: str, *, by: str, force: bool = False
    ) -> int:
        """Take addresses off the list of a stream; return how many were there. Those whose owners put
        them there, by complaint or unsubscription, only with `force`.

        Raises `Refused`, and then all stay; `StorageError`.
        """
        name = self.stream(stream)
        wanted = list({each.folded: each for each in addresses}.values())
        found = await self._store.of(name, wanted)
        for each in found:
            if each.reason in _BY_OWNER and not force:
                raise Refused(
                    f"{each.address} is there by its owner's wish ({each.reason.value}); only where "
                    "they ask for the mail again, take it off by force"
                )
        there = len(found)
        if there:
            change = Unsuppressed(self._clock.now(), tuple(wanted), name, by)
            await self._ledger.commit(Group((change,)))
        return there

    async def read_csv(self, file: TextIO, *, by: str, dry_run: bool = False) -> Imported:
        """Put on the lists what `write_csv` wrote, or a table with at least the columns address and
        stream. Nothing is changed where a line is wrong, nor by a `dry_run`.

        `file` is read twice, piece by piece: once to see that all lines are right, since none of
        millions is kept, and once to add them. Reading happens in a thread. `suppression_csv.opened`
        gives it the right form. Raises `Refused` that names the line, `StorageError`.
        """
        now = self._clock.now()
        lines = await asyncio.to_thread(self._count, file, now)
        rows, fresh = read_rows(file, self.stream, now), 0
        while batch := await asyncio.to_thread(list, islice(rows, _BATCH)):
            fresh += len(await self._missing(batch)) if dry_run else await self._put(batch, by)
        return Imported(lines, fresh)

    def _count(self, file: TextIO, now: float) -> int:
        return sum(1 for _ in read_rows(file, self.stream, now))

    async def write_csv(self, stream: str | None = None) -> AsyncIterator[str]:
        """Yield the lists (of one stream) as CSV, line by line. Raises `Refused`, `StorageError`."""
        name = None if stream is None else self.stream(stream)
        yield line_of(COLUMNS)
        after = ("", "")
        while page := await self._store.page(name, after=after, limit=_BATCH):
            for each in page:
                yield line_of_entry(each)
            after = (page[-1].stream, page[-1].address.folded)

    def stream(self, name: str) -> str:
        """Return how the store calls a stream. Raises `Refused` for one that has no list."""
        if name not in self._known:
            known = ", ".join(sorted(self._known)) or "none"
            hint = f"; {DEFAULT_STREAM} never has one" if name == DEFAULT_STREAM else ""
            raise Refused(
                f"the stream {name!r} has no suppression list (streams.NAME.suppression); "
                f"those that have: {known}{hint}"
            )
        return name

    async def _put(self, entries: list[Suppression], by: str) -> int:
        fresh = len(await self._missing(entries))
        await self._ledger.commit(Group((Suppressed(self._clock.now(), tuple(entries), by),)))
        return fresh

    async def _missing(self, batch: list[Suppression]) -> set[tuple[str, str]]:
        missing = {(each.stream, each.address.folded) for each in batch}
        for stream in {each.stream for each in batch}:
            addresses = [each.address for each in batch if each.stream == stream]
            for known in await self._store.of(stream, addresses):
                missing.discard((stream, known.address.folded))
        return missing
