"""What the figures were measured on: processor, kernel, disk, versions."""

import importlib.metadata
import os
import platform
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import apsw
from msgspec import Struct

from bench.figures import median
from peers.tools import MissingTool, PeerUnavailable, find

_IN_MEMORY = ("tmpfs", "ramfs")
_PROBES = 50


class Machine(Struct, frozen=True):
    """A statement of the machine. `versions` are by program; `fsync_ms` is the median of writing and
    fsyncing 4 KiB, which tells how much durability costs here.
    """

    at: str
    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    file_system: str
    device: str
    fsync_ms: float
    versions: dict[str, str]


def describe(directory: Path) -> Machine:
    """Describe this machine, with the disk that `directory` is on."""
    kind, device = file_system(directory)
    return Machine(
        at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        cpu=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        kernel=f"{platform.system()} {platform.release()}",
        file_system=kind,
        device=device,
        fsync_ms=round(_fsync_seconds(directory) * 1000, 3),
        versions=_versions(),
    )


def durable_directory(directory: Path) -> Path:
    """Return the directory, made if need be.

    Raises `PeerUnavailable` where it is in memory: a durable commit would cost nothing there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    kind, _ = file_system(directory)
    if kind in _IN_MEMORY:
        raise PeerUnavailable(
            f"{directory} is {kind}, where durability costs nothing; choose a disk by --directory"
        )
    return directory.resolve()


def file_system(directory: Path, mounts: Path = Path("/proc/mounts")) -> tuple[str, str]:
    """Return kind and device of the file system that a directory is on."""
    path = str(directory.resolve())
    best = ("", "unknown", "unknown")
    for line in mounts.read_text().splitlines():
        device, point, kind, *_ = line.split()
        # Spaces in mount points are written in octal (fstab(5)).
        point = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), point)
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        # Of two mounts on one point the later one is seen.
        if inside and len(point) >= len(best[0]):
            best = (point, kind, device)
    return best[1], best[2]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _fsync_seconds(directory: Path) -> float:
    path = directory / ".fsync-probe"
    block = os.urandom(4096)
    seconds = []
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        for _ in range(_PROBES):
            begin = time.perf_counter()
            os.write(file, block)
            os.fsync(file)
            seconds.append(time.perf_counter() - begin)
    finally:
        os.close(file)
        path.unlink()
    return median(seconds)


def _versions() -> dict[str, str]:
    found = {
        "Postroad": importlib.metadata.version("postroad"),
        "Python": platform.python_version(),
        "uvloop": importlib.metadata.version("uvloop"),
        "SQLite": f"{apsw.sqlite_lib_version()} (apsw {apsw.apsw_version()})",
        "Postfix": _printed(["postconf", "-d", "-h", "mail_version"]),
        "Dovecot": _printed(["dovecot", "--version"]),
        "aiosmtpd": importlib.metadata.version("aiosmtpd"),
    }
    return {name: version for name, version in found.items() if version}


def _printed(command: list[str]) -> str:
    try:
        program = find(command[0])
    except MissingTool:
        return ""
    done = subprocess.run([program, *command[1:]], capture_output=True, check=False, timeout=20)
    words = done.stdout.decode(errors="replace").split()
    return words[0] if words else ""
