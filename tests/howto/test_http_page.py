"""What `docs/howto/send-by-http.md` tells people to type is typed, in a shell, against a real server."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/howto/send-by-http.md"
_SERVICES = ("MX", "SUBMISSION", "SUBMISSIONS", "POP3", "POP3S")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_page_works(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks[0].splitlines()) < 10, "from nothing to delivered in less than ten lines"
    # Each command's output ends its line, so that answers can be told apart.
    script = "\n".join(block.replace("curl -s ", "curl -s -w '\\n' ") for block in blocks)
    script = script.replace("8025", str(free_port()))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROAD")}
    environ |= {f"POSTROAD_LISTEN__{name}": "127.0.0.1:0" for name in _SERVICES}
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    shell = subprocess.Popen(
        ["bash", "-c", f"trap 'kill %1' EXIT; {script}"],
        cwd=tmp_path,
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
    answers = [json.loads(line) for line in said.splitlines() if line.startswith(("[", "{"))]
    sent, found, shown, once, batch, raw, moved, held, released, last = answers
    assert sent["durability"] == "fsync"
    assert [each["id"] for each in found["messages"]] == [sent["id"]]
    assert shown["deliveries"][0]["state"] == "delivered"
    assert shown["journey"][0]["what"] == "accepted"
    assert once["id"]
    assert [each["status"] for each in batch] == [202, 422]
    assert raw["id"]
    assert (moved["changed"], held["changed"], released["changed"]) == (1, 1, 1)
    assert [each["id"] for each in last["messages"]] == [shown["id"]]
