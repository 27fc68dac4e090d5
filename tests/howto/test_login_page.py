"""The program in the how-to on logging in gets its tokens, and its commands are there."""

import asyncio
import os
import re
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx

from tests.unit.web.site import running
from tests.unit.web.test_me import browser, log_in

PAGE = Path(__file__).resolve().parents[2] / "docs/howto/log-in-on-the-web.md"


async def test_the_program_runs(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    async with running(tmp_path) as site:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            env={**os.environ, "SERVER": site.url},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        assert url.startswith(f"{site.url}/oauth/authorize?")
        asked = dict(parse_qsl(urlsplit(url).query))
        async with browser(site) as client, httpx.AsyncClient() as page:
            await log_in(client)
            answer = await client.post("/api/v1/me/grants", json={**asked, "allow": True})
            assert (await page.get(answer.json()["redirect"])).status_code == 200
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        assert said.decode().strip() == "ann@here.test"
        assert process.returncode == 0
