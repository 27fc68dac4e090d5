"""The library by itself."""

import subprocess
import sys

_ALONE = """
import sys
import postroad.client
print([each for each in sys.modules if each.startswith("postroad.") and ".client" not in each])
"""
_WITHOUT = """
import sys
sys.modules["httpx"] = None
import postroad.client
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


def test_nothing_of_the_server_is_loaded() -> None:
    assert run(_ALONE).stdout == "[]\n"


def test_without_httpx_it_says_what_to_install() -> None:
    said = run(_WITHOUT)
    assert said.returncode == 1
    assert "pip install 'postroad[client]'" in said.stderr.splitlines()[-1]
