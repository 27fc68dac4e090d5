"""The memory and processor time of a process, as the kernel counts them."""

import os
import re
from pathlib import Path


class Resident:
    """Resident memory of one process, in octets, and its processor time."""

    def __init__(self, pid: int) -> None:
        self._directory = Path(f"/proc/{pid}")

    def now(self) -> int:
        """Return the resident octets."""
        return self._field("VmRSS")

    def peak(self) -> int:
        """Return the most resident octets since the start or `forget_peak`."""
        return self._field("VmHWM")

    def forget_peak(self) -> None:
        """Let the peak begin anew, at what is resident now (proc(5), clear_refs)."""
        self._directory.joinpath("clear_refs").write_text("5")

    def processor_seconds(self) -> float:
        """Return how long it has run on processors so far, in user and kernel mode."""
        fields = self._directory.joinpath("stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def loop_seconds(self) -> float:
        """Return how long the process's first thread, an event loop's, has run on processors so far."""
        schedule = self._directory.joinpath("task", self._directory.name, "schedstat").read_text()
        return int(schedule.split()[0]) / 1e9

    def _field(self, name: str) -> int:
        status = self._directory.joinpath("status").read_text()
        found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
        if found is None:
            raise ValueError(f"{self._directory}/status has no {name}")
        return int(found[1]) * 1024
