"""Each call of the API has a `curl` in the how-tos, on a page whose commands are played."""

import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from tests.howto.scenes import SCENES
from tests.howto.shell import DOCS, blocks
from tests.unit.web.site import running

BASE = "/api/v1"
_METHODS = ("get", "post", "put", "delete", "patch")
_VALUED = {"-H", "-w", "-o", "-X", "-d", "-A", "--data-binary"}


def typed() -> list[str]:
    """All that is typed on pages which the tests beside this one play."""
    page = (DOCS / "send-by-http.md").read_text(encoding="utf-8")
    found = re.findall(r"```sh\n(.*?)```", page, re.S)
    found += [blocks(page, "By HTTP") for page in ("webhooks.md", "send-from-templates.md")]
    assert "howto/send-newsletters.md" in SCENES
    consoles = (DOCS / "send-newsletters.md").read_text(encoding="utf-8")
    return [*found, *re.findall(r"^    \$ (.*)$", consoles, re.MULTILINE)]


def call_of(command: str) -> tuple[str, str]:
    """Return method and path of a curl."""
    words = iter(shlex.split(command, comments=True)[1:])
    method, path = "", ""
    for word in words:
        value = next(words) if word in _VALUED else ""
        if word == "-X":
            method = value
        elif word in ("-d", "--data-binary"):
            method = method or "POST"
        elif word.startswith(("http://", "$URL")):
            path = urlsplit(word.replace("$URL", BASE)).path
    return (method or "GET").lower(), path


def calls() -> set[tuple[str, str]]:
    """Return what is asked."""
    found = set()
    for text in typed():
        for command in re.findall(r"curl -s(?: (?:\"[^\"]*\"|'[^']*'|\\\n|[^\n\"'|)])+)?", text):
            found.add(call_of(command.replace("\\\n", " ")))
    return found


async def test_each_has_its_curl(tmp_path: Path) -> None:
    asked = calls()
    async with running(tmp_path) as site:
        description = (await site.anyone.get(f"{BASE}/openapi.json")).json()
    described = {
        (method, path)
        for path, item in description["paths"].items()
        if path.startswith(BASE)
        for method in _METHODS
        if method in item
    }
    assert len(described) > 20
    missing = {
        (method, path)
        for method, path in described
        if not any(
            method == other and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", path), where)
            for other, where in asked
        )
    }
    assert missing == set()
