"""Writes the client without asyncio from the one with it: ``python -m tests.client``.

There is one client; by hand there would be two that part over the years. A test sees that what is there
is what this writes.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLIENT = ROOT / "src/postroad/client"

_WORDS = (
    (
        "The client for programs with asyncio. `sync` is written from it: ``python -m tests.client``.",
        "The client for programs without asyncio, written from `aio`: ``python -m tests.client``.",
    ),
    ("it in `async with`.", "it in `with`. Threads may share it."),
    ("__aenter__", "__enter__"),
    ("__aexit__", "__exit__"),
    ("aclose", "close"),
    ("import asyncio", "import time"),
    ("asyncio.sleep", "time.sleep"),
)


def without_asyncio(source: str) -> str:
    """Return the program without `async` and `await`, formatted."""
    for old, new in _WORDS:
        source = source.replace(old, new)
    source = re.sub(r"\b(?:async|await) ", "", source)
    source = re.sub(r"\bAsync([A-Z])", r"\1", source)
    source = re.sub(r"for (\w+) in ([\w.]+):\n +yield \1\n", r"yield from \2\n", source)
    ruff = str(Path(sys.executable).with_name("ruff"))
    words = [
        ruff,
        "format",
        "--config",
        str(ROOT / "pyproject.toml"),
        "--stdin-filename",
        "sync.py",
        "-",
    ]
    done = subprocess.run(words, input=source, capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    (CLIENT / "sync.py").write_text(
        without_asyncio((CLIENT / "aio.py").read_text(encoding="utf-8")), encoding="utf-8"
    )
