"""What `docs/howto/webhooks.md` says to do by HTTP is done, in a shell, against a real server."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.howto.test_http_page import free_port

PAGE = Path(__file__).resolve().parents[2] / "docs/howto/webhooks.md"
_SERVICES = ("MX", "SUBMISSION", "SUBMISSIONS", "POP3", "POP3S")
_START = """
postroad quickstart example.org --dir mail > records.txt
postroad serve & until curl -sf $URL/openapi.json > description.json; do sleep 0.2; done
"""


def test_what_is_done_by_http_works(tmp_path: Path) -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## By HTTP\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", section, re.S)
    # Each command's output ends its line, so that answers can be told apart.
    block = block.replace("curl -s ", "curl -s -w '\\n%{http_code}\\n' ")
    listen = f"127.0.0.1:{free_port()}"
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
        ["bash", "-c", f"trap 'kill %1' EXIT; {_START}{block}"],
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
    lines = said.splitlines()
    codes = [line for line in lines if re.fullmatch(r"\d{3}", line)]
    assert codes == ["201", *["200"] * 6, "204"], said
    answers = [json.loads(line) for line in lines if line.startswith("{")]
    made, listed, shown, tried, rotated, dead, replayed = answers
    assert made["secret"].startswith("whsec_")
    assert listed["webhooks"] == [shown]
    assert (shown["events"], shown["domains"]) == (["bounced", "complained"], ["example.org"])
    assert tried["taken"] is False
    assert "app.example" in tried["failure"] or "took too long" in tried["failure"]
    assert rotated["secret"] not in ("", made["secret"])
    assert dead == {"dead": []}
    assert replayed == {"replayed": 0}
