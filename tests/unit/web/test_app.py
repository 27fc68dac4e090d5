"""The application as a whole, by its port."""

from pathlib import Path

from tests.unit.web.site import running


async def test_it_is_alive_and_describes_itself(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        response = await site.anyone.get("/livez")
        assert (response.status_code, response.text) == (200, "ok\n")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["date"].endswith("GMT")
        described = (await site.anyone.get("/api/v1/openapi.json")).json()
        assert described["openapi"] == "3.1.0"
        assert described["info"]["title"] == "Postroad"


async def test_the_page_to_try_it_brings_everything_along(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        page = await site.anyone.get("/api/v1")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "//" not in page.text.replace("<!doctype html>", "")
        for part in ("explore.js", "explore.css"):
            assert f"/api/v1/{part}" in page.text
            found = await site.anyone.get(f"/api/v1/{part}")
            assert found.status_code == 200
            assert "http:" not in found.text
            assert "https:" not in found.text


async def test_what_is_not_there_is_a_problem(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/livez", 405)):
            response = await site.anyone.request(method, path)
            assert response.status_code == status
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["status"] == status


async def test_a_head_and_a_request_of_rubbish(tmp_path: Path) -> None:
    import asyncio

    async with running(tmp_path) as site:
        port = int(site.url.rpartition(":")[2])
        for rubbish, status in (
            (b"rubbish\r\n\r\n", b"400"),
            (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", b"431"),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(rubbish)
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 " + status), answer[:100]
            assert b"application/problem+json" in answer
            writer.close()
