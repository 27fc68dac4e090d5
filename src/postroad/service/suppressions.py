"""The lists of who gets nothing of a stream any more: look, change, read and write them as CSV."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from postroad.model import (
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
from postroad.service.streams import DEFAULT_STREAM, shown

COLUMNS = ("address", "stream", "reason", "evidence", "since")
MAX_ROWS = 2_000_000

_BATCH = 1_000
_MAX_CELL = 10_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Suppressions:
    """Steers the lists of the streams `known`. Works on the store, so it needs no running server."""

    def __init__(
        self, *, ledger: Ledger, store: SuppressionStore, clock: Clock, known: Iterable[str]
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._known = frozenset(known)

    async def find(
        self, stream: str | None = None, address: str | None = None, limit: int = 100
    ) -> list[Suppression]:
        """Return entries by stream and address: of one stream, for a whole address or ``@domain``.

        Raises `Refused`, `StorageError`.
        """
        name = None if stream is None else self.stream(stream)
        return await self._store.page(name, address=address, limit=limit)

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

    async def remove(self, addresses: Iterable[Address], stream: str, *, by: str) -> int:
        """Take addresses off the list of a stream; return how many were there.

        Raises `Refused`, `StorageError`.
        """
        name = self.stream(stream)
        wanted = list({each.folded: each for each in addresses}.values())
        there = len(await self._store.of(name, wanted))
        if there:
            change = Unsuppressed(self._clock.now(), tuple(wanted), name, by)
            await self._ledger.commit(Group((change,)))
        return there

    async def read_csv(self, text: str, *, by: str) -> int:
        """Put on the lists what `write_csv` wrote, or a table with at least the columns address and
        stream; return how many were not there before. Nothing is changed where a line is wrong.

        Raises `Refused` that names the line, `StorageError`.
        """
        for _ in self._rows(text):
            pass  # all lines must be right; none is kept, since there may be millions
        rows, fresh = self._rows(text), 0
        while batch := list(islice(rows, _BATCH)):
            fresh += await self._put(batch, by)
        return fresh

    async def write_csv(self, stream: str | None = None) -> AsyncIterator[str]:
        """Yield the lists (of one stream) as CSV, line by line. Raises `Refused`, `StorageError`."""
        name = None if stream is None else self.stream(stream)
        yield _line(COLUMNS)
        after = ("", "")
        while page := await self._store.page(name, after=after, limit=_BATCH):
            for each in page:
                since = datetime.fromtimestamp(each.since, UTC).isoformat(timespec="seconds")
                # What a server wrote must not become a formula in somebody's spreadsheet.
                formula = each.evidence.startswith(_FORMULA)
                evidence = f" {each.evidence}" if formula else each.evidence
                cells = (str(each.address), shown(each.stream), each.reason.value, evidence, since)
                yield _line(cells)
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

    def _rows(self, text: str) -> Iterator[Suppression]:
        now = self._clock.now()
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
        try:
            columns = reader.fieldnames or ()
            if "address" not in columns or "stream" not in columns:
                raise Refused("line 1: the columns address and stream are needed")
            for count, row in enumerate(reader):
                if count >= MAX_ROWS:
                    raise Refused(f"more than {MAX_ROWS} lines; import it in parts")
                yield self._entry(row, reader.line_num, now)
        except csv.Error as error:
            raise Refused(f"line {reader.line_num + 1}: {error}") from None

    def _entry(self, row: dict[str, str | None], line: int, now: float) -> Suppression:
        cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
        if any(len(cell) > _MAX_CELL for cell in cells.values()):
            raise Refused(f"line {line}: a cell has more than {_MAX_CELL} letters")
        try:
            return Suppression(
                Address.parse(cells["address"]),
                self.stream(cells["stream"]),
                _reason(cells["reason"]),
                cells["evidence"][:MAX_EVIDENCE],
                _moment(cells["since"]) if cells["since"] else now,
            )
        except (Refused, ValueError) as error:
            raise Refused(f"line {line}: {error}") from None


def _reason(text: str) -> SuppressionReason:
    try:
        return SuppressionReason(text or SuppressionReason.MANUAL.value)
    except ValueError:
        words = ", ".join(each.value for each in SuppressionReason)
        raise Refused(f"{text!r} is no reason; these are {words}") from None


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
