"""Find programs, pick free loopback ports, and run processes that are always stopped again.

A port that was picked stays ours until this process ends, also against other processes that pick here:
tests run in several at once.

A process is started in a session of its own and stopped by its group id, so that what it forked
goes with it, and nothing else does. Failures say which program, why, and show the end of its log.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

LOOPBACK = "127.0.0.1"
# Below those that Linux takes for outgoing connections and port 0 (ip_local_port_range).
_PORTS = range(12_000, 32_000)
_reserved: list[int] = []

# Daemons live outside the PATH of an ordinary user, and Postfix's outside anyone's.
_FURTHER_DIRECTORIES = (
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
    "/usr/lib/postfix/sbin",
    "/usr/libexec/postfix",
)

_PACKAGES = {
    "curl": "curl",
    "clamd": "clamav-daemon",
    "doveadm": "dovecot-core",
    "dovecot": "dovecot-core",
    "gsasl": "gsasl",
    "keymgr": "knot",
    "knotc": "knot",
    "knotd": "knot",
    "master": "postfix",
    "mpop": "mpop",
    "msmtp": "msmtp",
    "pebble": "pebble",
    "postfix": "postfix",
    "postqueue": "postfix",
    "rspamd": "rspamd",
    "s-nail": "s-nail",
    "sendmail": "postfix",
    "smtp-sink": "postfix",
    "smtp-source": "postfix",
    "swaks": "swaks",
    "systemd-analyze": "systemd",
    "unbound": "unbound",
    "unshare": "util-linux",
}


class PeerUnavailable(Exception):
    """A peer cannot run on this machine; the text says why and what to do about it."""


class MissingTool(PeerUnavailable):
    """A program is not installed; `package` is the Debian package that has it."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.package = _PACKAGES.get(program, program)
        super().__init__(f"{program} is not installed: apt-get install {self.package}")


class PeerFailed(Exception):
    """A peer did not start, died, or refused what it was asked to do; the text holds its log."""


def find(program: str) -> Path:
    """Return the path of a program, also from the directories of daemons.

    Raises `MissingTool`.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_FURTHER_DIRECTORIES))
    found = shutil.which(program, path=path)
    if found is None:
        raise MissingTool(program)
    return Path(found)


def free_port(address: str = LOOPBACK) -> int:
    """Return a port that is free for both TCP and UDP on a loopback address, and stays it.

    It is none that the kernel hands out itself, to connections and to who binds port 0, and nobody
    else gets it from here as long as this process runs, on whatever address.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in random.SystemRandom().sample(_PORTS, 200):
        with ExitStack() as stack:
            try:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    stack.enter_context(socket.socket(family, kind)).bind((address, port))
            except OSError:
                continue
            if _reserve(port):
                return port
    raise PeerFailed(f"no port of {address} is free for both TCP and UDP")


def _reserve(port: int) -> bool:
    """Take the port among all processes of ours: by a name that the kernel frees when we end."""
    if sys.platform != "linux":
        return True
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0postroad-port-{port}")
    except OSError:
        name.close()
        return False
    _reserved.append(name.detach())  # a descriptor that nobody closes: not even the end's collector
    return True


def choose_port(address: str, port: int | None) -> int:
    """Return this port, or a free one without one.

    Raises `PeerUnavailable` when the port needs root and we are not, and `PeerFailed` when it is
    taken: whoever has it would be mistaken for the peer that is about to start.
    """
    if port is None:
        return free_port(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            stream.bind((address, port))
        except PermissionError:
            raise PeerUnavailable(f"listening on port {port} needs root") from None
        except OSError as error:
            raise PeerFailed(f"{address} port {port}: {error.strerror}") from None
    return port


def wait_until(condition: Callable[[], bool], timeout_seconds: float, what: str) -> None:
    """Poll until the condition holds.

    Raises `TimeoutError` that says what was waited for.
    """
    deadline = time.monotonic() + timeout_seconds
    pause = 0.005
    while not condition():
        if time.monotonic() >= deadline:
            raise TimeoutError(f"waited {timeout_seconds:g} s for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def accepts(address: str, port: int) -> bool:
    """Return whether a TCP connection to this address and port is accepted."""
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def run(command: Sequence[str | Path], data: bytes = b"", timeout_seconds: float = 60) -> bytes:
    """Run a command to its end and return its standard output.

    Raises `PeerFailed` with what it printed when it does not exit with 0.
    """
    done = subprocess.run(command, input=data, capture_output=True, timeout=timeout_seconds)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        raise PeerFailed(f"{_spell(command)} exited with {done.returncode}: {said}")
    return done.stdout


@contextmanager
def private_directory(name: str) -> Iterator[Path]:
    """Yield a new directory, removed with all its content at the end.

    Others may enter it: daemons drop to users of their own and must reach their files. It is
    made under `TMPDIR`, which a benchmark sets to choose the disk.
    """
    directory = Path(tempfile.mkdtemp(prefix=f"postroad-{name}-")).resolve()
    try:
        directory.chmod(0o755)
        yield directory
    finally:
        # A daemon's last child may still remove a file of its own while we walk the tree.
        shutil.rmtree(directory, ignore_errors=True)
        if directory.exists():
            shutil.rmtree(directory)


class Process:
    """A program in a process group of its own, its output in a log file.

    Starting happens in the constructor; `stop`, or the end of the `with` block, ends the whole
    group: first by SIGTERM, then, after `grace_seconds`, by SIGKILL.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        log_file: Path,
        *,
        environment: Mapping[str, str] | None = None,
        grace_seconds: float = 5,
    ) -> None:
        self.log_file = log_file
        self._command = command
        self._grace_seconds = grace_seconds
        with log_file.open("ab") as log:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended. It is not reaped, so that its id stays ours."""
        if self._popen.returncode is not None:
            return False
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self._popen.pid, options) is None

    def log(self) -> str:
        """Return what the process has printed so far."""
        return self.log_file.read_text(errors="replace")

    def wait_for_port(self, address: str, port: int, timeout_seconds: float = 15) -> None:
        """Wait until the process accepts connections.

        Raises `PeerFailed` with its log when it ends before, or is too slow.
        """
        try:
            wait_until(
                lambda: not self.running or accepts(address, port),
                timeout_seconds,
                f"{_spell(self._command)} to listen on {address} port {port}",
            )
        except TimeoutError as error:
            raise PeerFailed(f"{error}\n{self._log_end()}") from error
        if not self.running:
            raise PeerFailed(f"{_spell(self._command)} ended at once\n{self._log_end()}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of the group; SIGKILL is how a test crashes a peer."""
        if self._popen.returncode is None:
            os.killpg(self._popen.pid, number)

    def stop(self) -> int:
        """End the group and return the exit status of its first process; harmless when repeated."""
        if self._popen.returncode is None:
            self.signal(signal.SIGTERM)
            try:
                wait_until(lambda: not self.running, self._grace_seconds, "the end")
            except TimeoutError:
                self.signal(signal.SIGKILL)
            # Before the leader is reaped its id cannot be anyone else's, so what is left of the
            # group can still be killed without risk.
            self.signal(signal.SIGKILL)
        return self._popen.wait()

    def _log_end(self) -> str:
        return "\n".join(self.log().splitlines()[-30:])


def _spell(command: Sequence[str | Path]) -> str:
    return " ".join(str(word) for word in command)
