"""Plays what a page says to do by HTTP: in a shell, against a real server that it starts."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from peers.tools import free_port

DOCS = Path(__file__).resolve().parents[2] / "docs/howto"
_SERVICES = ("MX", "SUBMISSION", "SUBMISSIONS", "POP3", "POP3S")
_START = """
postroad quickstart example.org --dir mail > records.txt
postroad serve & until curl -sf $URL/openapi.json > description.json; do sleep 0.2; done
"""


class Played(Struct, frozen=True):
    """The status of each request, and the answers that were JSON, in order."""

    codes: list[str]
    answers: list[Any]


def blocks(page: str, section: str) -> str:
    """Return what there is to type in the section of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = text.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", found, re.S))


def play(typed: str, directory: Path, *, start: str = _START, port: int = 0) -> Played:
    """Type it, after `start`, in a directory."""
    # Each command's output ends its line, so that answers can be told apart.
    typed = typed.replace("curl -s ", "curl -s -w '\\n%{http_code}\\n' ")
    listen = f"127.0.0.1:{port or free_port()}"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROAD")}
    environ |= {f"POSTROAD_LISTEN__{name}": "127.0.0.1:0" for name in _SERVICES}
    environ |= {
        "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}",
        "POSTROAD_CONFIG": "mail/postroad.toml",
        "POSTROAD_LISTEN__HTTP": listen,
        "POSTROAD_DELIVERY__NAMESERVERS": f"127.0.0.1:{free_port()}",  # nobody answers there
        "POSTROAD_WEBHOOKS__REQUEST_SECONDS": "1",
        "URL": f"http://{listen}/api/v1",
    }
    shell = subprocess.Popen(
        ["bash", "-c", f"trap 'kill %1' EXIT; {start}{typed}"],
        cwd=directory,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = shell.communicate(timeout=120)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, said
    lines = said.splitlines()
    codes = [line for line in lines if re.fullmatch(r"\d{3}", line)]
    answers = [json.loads(line) for line in lines if line.startswith(("[", "{"))]
    return Played(codes, answers)
