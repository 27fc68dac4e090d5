"""What every request passes first."""

import asyncio
from pathlib import Path

from tests.unit.web.site import Site, running


async def raw(site: Site, head: str, body: bytes = b"") -> bytes:
    """Send a request as it is; return the answer."""
    port = int(site.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_large_body_is_refused_before_it_comes(tmp_path: Path) -> None:
    async with running(tmp_path, http={"max_body_octets": 2000}) as site:
        announced = await raw(site, "POST /livez HTTP/1.1\nHost: x\nContent-Length: 1000000000\n")
        assert announced.startswith(b"HTTP/1.1 413")
        assert b"100 Continue" not in announced
        waiting = await raw(
            site,
            "POST /livez HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: 1000000000\n",
        )
        assert waiting.startswith(b"HTTP/1.1 413")
        chunked = "POST /api/v1/messages HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n"
        head = f"{chunked}Authorization: Bearer {site.token}\n"
        unknown = await raw(site, head, b"bb8\r\n" + b"x" * 3000 + b"\r\n0\r\n\r\n")
        for answer in (announced, waiting, unknown):
            assert answer.startswith(b"HTTP/1.1 413")
            assert answer.lower().count(b"\r\nconnection: close\r\n") == 1


async def test_requests_are_counted(tmp_path: Path) -> None:
    limits = {"requests_per_second": 1, "requests_at_once": 1}
    async with running(tmp_path, http=limits) as site:
        for left in (0,):
            response = await site.anyone.get("/livez")
            assert response.status_code == 200
            assert response.headers["ratelimit"].startswith(f'"requests";r={left};t=')
            assert response.headers["ratelimit-policy"] == '"requests";q=1;w=1'
        response = await site.anyone.get("/livez")
        assert response.status_code == 429
        assert response.json()["type"] == "urn:postroad:problem:too-many-requests"
        assert 1 <= int(response.headers["retry-after"]) <= 2
        # A key has its own.
        assert (await site.client.get("/livez")).status_code == 200
