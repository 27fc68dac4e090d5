"""A real `postroad serve` in a process of its own, on loopback ports that the system chose."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, Queue
from typing import Any

PATIENCE_SECONDS = 20.0

CONFIG = """\
[server]
hostname = "mail.here.test"
data_dir = "{directory}/data"
run_as_root = true
grace_seconds = 5
[listen]
mx = ["127.0.0.1:0"]
submission = ["127.0.0.1:0"]
submissions = ["127.0.0.1:0"]
pop3 = ["127.0.0.1:0"]
pop3s = ["127.0.0.1:0"]
local = "{directory}/submit.sock"
[tls]
certificate = "{directory}/certificate.pem"
key = "{directory}/key.pem"
[delivery]
nameservers = ["127.0.0.1:1"]
[trust]
verify = false
"""


def write_config(directory: Path, more: str = "") -> Path:
    """Write a configuration with a certificate signed by itself; return its path."""
    from postroad.runtime.certificate import write_self_signed

    write_self_signed(directory / "certificate.pem", directory / "key.pem", ("mail.here.test",))
    path = directory / "postroad.toml"
    path.write_text(CONFIG.format(directory=directory) + more, encoding="utf-8")
    return path


def environment(**more: str) -> dict[str, str]:
    """The environment of a child: ours without settings of Postroad."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTROAD_")}
    return {**kept, **more}


class Served:
    """The process and its log."""

    def __init__(
        self, config: Path, env: Mapping[str, str] | None = None, python: str = sys.executable
    ) -> None:
        self._lines: Queue[str] = Queue()
        self.seen: list[str] = []
        self.process = subprocess.Popen(
            [python, "-m", "postroad.cli.main", "serve", "--config", str(config)],
            stderr=subprocess.PIPE,
            text=True,
            env=dict(env or environment()),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return the next log line of that event."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                line = self._lines.get(timeout=0.2)
            except Empty:
                if self.process.poll() is not None and self._lines.empty():
                    break
                continue
            self.seen.append(line)
            try:
                found: dict[str, Any] = json.loads(line)
            except json.JSONDecodeError:
                continue
            if found.get("event") == event:
                return found
        raise AssertionError(f"no {event!r} in the log: {''.join(self.seen)}")

    def ports(self, ready: dict[str, Any] | None = None) -> dict[str, int]:
        """Return the port of each service, from the `ready` line."""
        ready = ready or self.wait_for("ready")
        names = ("mx", "submission", "submissions", "pop3", "pop3s")
        return {name: int(ready[name][0].rpartition(":")[2]) for name in names if name in ready}

    def signal(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    def end(self) -> int:
        """Wait for its end; return its code."""
        try:
            return self.process.wait(PATIENCE_SECONDS)
        finally:
            self.close()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Talk:
    """A client that says lines and reads replies."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self._file = self.sock.makefile("rb")

    def reply(self) -> str:
        """Return the last line of the next reply, ``""`` where the server closed."""
        while True:
            line = self._file.readline().decode()
            if line[3:4] != "-":
                return line.rstrip("\r\n")

    def say(self, text: str) -> str:
        """Send a line, return the reply."""
        self.sock.sendall(text.encode() + b"\r\n")
        return self.reply()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.sock.close()
