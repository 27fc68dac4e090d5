"""The memory and processor time of a process, as the kernel counts them."""

import os
import re
from pathlib import Path


class Resident:
    """Resident memory of a process and those that it started, in octets, and their processor time."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def now(self) -> int:
        """Return the resident octets."""
        return self._sum("VmRSS")

    def peak(self) -> int:
        """Return the most resident octets since the start or `forget_peak`, of each by itself."""
        return self._sum("VmHWM")

    def forget_peak(self) -> None:
        """Let the peak begin anew, at what is resident now (proc(5), clear_refs)."""
        for directory in self._all():
            directory.joinpath("clear_refs").write_text("5")

    def processor_seconds(self) -> float:
        """Return how long they have run on processors so far, in user and kernel mode."""
        ticks = 0
        for directory in self._all():
            fields = directory.joinpath("stat").read_text().rpartition(") ")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def loop_seconds(self) -> float:
        """Return how long the process's first thread, an event loop's, has run on processors so far."""
        schedule = Path(f"/proc/{self._pid}/task/{self._pid}/schedstat").read_text()
        return int(schedule.split()[0]) / 1e9

    def _all(self) -> list[Path]:
        """The process and its children; those have none."""
        children = Path(f"/proc/{self._pid}/task").glob("*/children")
        pids = [self._pid, *(int(each) for file in children for each in file.read_text().split())]
        return [Path(f"/proc/{pid}") for pid in pids]

    def _sum(self, name: str) -> int:
        return sum(_field(directory, name) for directory in self._all())


def _field(directory: Path, name: str) -> int:
    status = directory.joinpath("status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise ValueError(f"{directory}/status has no {name}")
    return int(found[1]) * 1024
