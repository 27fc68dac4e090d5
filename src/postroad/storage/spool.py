"""`ports.DaySpool`: a file for each day, to which all workers of a server append.

A line is one write to a file opened for appending, so lines of several processes do not mix. There is no
fsync: what is kept are statistics.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from postroad.ports import StorageError

MAX_DAY_OCTETS = 256 * 2**20
MAX_LINE_OCTETS = 64 * 1024
_NAME = re.compile(r"(\d{4}-\d\d-\d\d)\.jsonl")


class FileSpool:
    """Days below one directory, which is made with the first line."""

    def __init__(self, directory: Path, max_day_octets: int = MAX_DAY_OCTETS) -> None:
        self._directory = directory
        self._max_day_octets = max_day_octets
        self._day = ""
        self._file = -1

    def add(self, day: str, line: bytes) -> bool:
        """Keep a line without a line end; False where it is too long or the day is full."""
        if len(line) > MAX_LINE_OCTETS or b"\n" in line:
            return False
        try:
            if self._file < 0 or day != self._day:
                self._open(day)
            elif not os.fstat(self._file).st_nlink:
                self._open(day)  # forgotten meanwhile
            if os.fstat(self._file).st_size + len(line) >= self._max_day_octets:
                return False
            os.write(self._file, line + b"\n")
        except OSError as error:
            raise self._failed(error) from error
        return True

    def days(self) -> list[str]:
        """Return the days that have lines, oldest first."""
        try:
            names = [each.name for each in self._directory.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._failed(error) from error
        return sorted(match[1] for name in names if (match := _NAME.fullmatch(name)))

    def lines(self, day: str) -> Iterator[bytes]:
        """Yield the lines of a day; one that a crash cut short is left out."""
        try:
            with open(self._path(day), "rb") as file:
                while line := file.readline(MAX_LINE_OCTETS + 2):
                    if line.endswith(b"\n"):
                        yield line[:-1]
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._failed(error) from error

    def forget(self, day: str) -> None:
        """Remove the lines of a day, if there are any."""
        try:
            self._path(day).unlink(missing_ok=True)
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._day = -1, ""

    def _open(self, day: str) -> None:
        self.close()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(self._path(day), flags, 0o600)
        self._day = day

    def _path(self, day: str) -> Path:
        if not _NAME.fullmatch(f"{day}.jsonl"):
            raise StorageError(f"{day!r} is no day")
        return self._directory / f"{day}.jsonl"

    def _failed(self, error: OSError) -> StorageError:
        return StorageError(f"{self._directory}: {error.strerror or error}")
