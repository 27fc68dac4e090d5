"""The program in the how-to on JMAP runs, and the reference names all methods."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

from postroad.model import Address
from postroad.service.jmap.jmap import METHODS
from tests.unit.web.site import running

DOCS = Path(__file__).resolve().parents[2] / "docs"
PASSWORD = "a long enough password"


async def test_the_program_runs(tmp_path: Path) -> None:
    page = (DOCS / "howto/read-mail-by-jmap.md").read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    async with running(tmp_path) as site:

        def run() -> str:
            names = {"SERVER": site.url, "ADDRESS": "ann@here.test", "TO": "bob@here.test"}
            done = subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, **names, "PASSWORD": PASSWORD},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        *_, sent, waiting, stopped = (await asyncio.to_thread(run)).splitlines()
        assert (sent, waiting.split()[0], stopped) == ("final", "pending", "canceled")
        bob = await site.system.accounts.get(Address("bob", "here.test"))
        listing = await site.system.store.mailboxes.listing(bob.inbox)
        assert listing is not None
        assert len(listing.uids) == 1


def test_the_reference_names_all_methods() -> None:
    page = (DOCS / "reference/jmap.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][A-Za-z]+/[a-z][A-Za-z]+)`", page))
    assert named == {*METHODS, "Core/echo"}
