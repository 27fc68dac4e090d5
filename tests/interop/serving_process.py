"""``postroad serve`` with a configuration file, as an operator runs it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from peers.tools import Process, free_port
from postroad.lab.ca import Authority
from postroad.lab.clients import Mailserver

POSTROAD = (sys.executable, "-m", "postroad.cli.main")
SENDMAIL = (sys.executable, "-m", "postroad.cli.sendmail")
HOSTNAME = "mx.us.test"
BOB = "bob@us.test"
PASSWORD = "correct horse battery"
_SERVICES = ("mx", "submission", "submissions", "pop3", "pop3s")


class Serving(Struct):
    """A running server with the account bob@us.test."""

    config: Path
    data_dir: Path
    ca_file: Path
    ports: dict[str, int]
    process: Process
    socket: Path

    def mailserver(self, service: str, username: str = BOB) -> Mailserver:
        """How a client reaches a service."""
        implicit = service in ("submissions", "pop3s")
        port = self.ports[service]
        return Mailserver(
            "127.0.0.1", port, HOSTNAME, username, PASSWORD, self.ca_file, implicit_tls=implicit
        )


def command(
    config: Path, *words: str, stdin: bytes = b"", program: tuple[str, ...] = POSTROAD
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command of ours with that configuration."""
    return subprocess.run(
        [*program, *words],
        input=stdin,
        capture_output=True,
        timeout=60,
        env={"POSTROAD_CONFIG": str(config), "PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
        check=False,
    )


def write_config(file: Path, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Write TOML; JSON's strings, numbers, booleans and lists are TOML's."""
    lines = []
    for name, section in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in section.items()]
    file.write_text("\n".join(lines) + "\n")


@contextmanager
def serving_process(
    directory: Path, data_dir: Path, **sections: Mapping[str, Any]
) -> Iterator[Serving]:
    """Run a server; `sections` lay over a configuration for loopback."""
    authority = Authority(directory / "ca")
    leaf = authority.issue(HOSTNAME, "127.0.0.1", "localhost")
    ports = {name: free_port() for name in _SERVICES}
    socket = directory / "submit.sock"
    values: dict[str, Mapping[str, Any]] = {
        "server": {"hostname": HOSTNAME, "data_dir": str(data_dir), "run_as_root": True},
        "listen": {
            **{name: [f"127.0.0.1:{port}"] for name, port in ports.items()},
            "local": str(socket),
        },
        "tls": {
            "certificate": str(leaf.certificate),
            "key": str(leaf.key),
            "ca_file": str(authority.root_file),
        },
        "delivery": {"nameservers": ["127.0.0.1:1"], "dns_total_seconds": 0.5},
        "trust": {"verify": False},  # there is no DNS to ask
        "queue": {"poll_seconds": 0.2, "retry_first_seconds": 0.5},
        "log": {"format": "json", "level": "warning"},
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    config = directory / "postroad.toml"
    write_config(config, values)
    password_file = directory / "password"
    password_file.write_text(PASSWORD + "\n")
    for words in (
        ("domain", "add", "us.test"),
        ("account", "add", BOB, "--password-file", str(password_file)),
    ):
        done = command(config, *words)
        assert done.returncode == 0, done.stderr.decode()
    with Process([*POSTROAD, "serve", "--config", str(config)], directory / "log") as process:
        process.wait_for_port("127.0.0.1", ports["mx"])
        yield Serving(config, data_dir, authority.root_file, ports, process, socket)
