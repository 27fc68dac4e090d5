"""The programs in the how-to on sending from Python run, against a real server."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.unit.web.site import running

PAGE = Path(__file__).resolve().parents[2] / "docs/howto/send-from-python.md"


async def test_the_programs_run(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    async with running(tmp_path) as site:

        def run() -> list[str]:
            given = {"POSTROAD_URL": site.url, "POSTROAD_API_KEY": site.token}
            done = subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, **given},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.splitlines()

        said = await asyncio.to_thread(run)
        start = said.index("Order 17")
        assert said[start : start + 3] == ["Order 17", "['shop'] []", "[]"]
        assert said[start + 3].startswith("the stream 'news' has no suppression list")
        del said[start : start + 4]
        assert said[0].endswith(" fsync")
        assert said[1].endswith(" accepted")
        assert said[-4].startswith("Your order ['")
        assert said[-3:] == ["('to[1]',)", "[202, 202]", "1"]
        found = (await site.client.get("/api/v1/messages")).json()["messages"]
        subjects = [each["subject"] for each in found]
        assert subjects == ["From Flask", "From Django", "", "", "", "Your order"]
        states = {each["deliveries"][0]["state"] for each in found}
        assert states <= {"leased", "due", "delivered", "dropped"}
