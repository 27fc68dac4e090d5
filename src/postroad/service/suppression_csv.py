"""Suppression lists as tables (CSV): the form in which they are written and read.

Read line by line, each of bounded length, so that a table of any size takes no memory; what is wrong is
said with the number of its line.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO, TextIO

from postroad.model import MAX_EVIDENCE, Address, Suppression, SuppressionReason
from postroad.service.errors import Refused

COLUMNS = ("address", "stream", "reason", "evidence", "since")
MAX_ROWS = 2_000_000
MAX_LINE = 64 * 1024

_MAX_CELL = 10_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def opened(file: BinaryIO) -> TextIO:
    """Return a file of octets as `read_rows` wants it: UTF-8, and what is none of it is kept, to be
    told.
    """
    return io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")


def read_rows(file: TextIO, stream: Callable[[str], str], now: float) -> Iterator[Suppression]:
    """Yield what a table says, from its beginning; entries without a time are of `now`.

    `stream` turns a name into that of a list, and raises `Refused` where there is none. Raises
    `Refused` that names the line.
    """
    file.seek(0)
    reader = csv.DictReader(_lines(file), strict=True)
    try:
        columns = reader.fieldnames or ()
        if "address" not in columns or "stream" not in columns:
            raise Refused("line 1: the columns address and stream are needed")
        for count, row in enumerate(reader):
            if count >= MAX_ROWS:
                raise Refused(f"more than {MAX_ROWS} lines; import it in parts")
            yield _entry(row, reader.line_num, stream, now)
    except csv.Error as error:
        raise Refused(f"line {reader.line_num + 1}: {error}") from None


def line_of(cells: Iterable[str]) -> str:
    """Return a line of these cells, with its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def line_of_entry(entry: Suppression) -> str:
    """Return the line of an entry."""
    since = datetime.fromtimestamp(entry.since, UTC).isoformat(timespec="seconds")
    address, evidence = _harmless(str(entry.address)), _harmless(entry.evidence)
    return line_of((address, entry.stream, entry.reason.value, evidence, since))


def _harmless(cell: str) -> str:
    """What others chose must not become a formula in somebody's spreadsheet; the space is not read."""
    return f" {cell}" if cell.startswith(_FORMULA) else cell


def _lines(file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise Refused(f"line {number}: it has more than {MAX_LINE} letters")
        if not line.isascii():
            try:
                line.encode("utf-8")
            except UnicodeEncodeError:
                raise Refused(f"line {number}: it is no UTF-8") from None
        yield line.removeprefix("\ufeff") if number == 1 else line


def _entry(
    row: dict[str, str | None], line: int, stream: Callable[[str], str], now: float
) -> Suppression:
    cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
    if any(len(cell) > _MAX_CELL for cell in cells.values()):
        raise Refused(f"line {line}: a cell has more than {_MAX_CELL} letters")
    try:
        return Suppression(
            Address.parse(cells["address"]),
            stream(cells["stream"]),
            _reason(cells["reason"]),
            cells["evidence"][:MAX_EVIDENCE],
            _moment(cells["since"]) if cells["since"] else now,
        )
    except (Refused, ValueError, OverflowError) as error:
        raise Refused(f"line {line}: {error}") from None


def _reason(text: str) -> SuppressionReason:
    try:
        return SuppressionReason(text or SuppressionReason.MANUAL.value)
    except ValueError:
        words = ", ".join(each.value for each in SuppressionReason)
        raise Refused(f"{text!r} is no reason; these are {words}") from None


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    datetime.fromtimestamp(seconds, UTC)  # else it could not be written again
    return seconds
