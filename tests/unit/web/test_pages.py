"""The page and the files of the web app, over HTTP."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.web import pages
from tests.unit.web.site import Site, running

SCRIPT = b"console.log('hello')\n" * 20
AS_IT_IS = {"Accept-Encoding": "identity"}


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    app = tmp_path / "app"
    (app / "assets").mkdir(parents=True)
    (app / "index.html").write_bytes(b"<!doctype html><title>Postroad</title>")
    (app / "sw.js").write_bytes(b"self.x = 1")
    (app / "assets/index-abc.js").write_bytes(SCRIPT)
    (app / "assets/index-abc.js.gz").write_bytes(gzip.compress(SCRIPT))
    monkeypatch.setattr(pages, "BUNDLE", app)
    async with running(tmp_path / "data") as opened:
        yield opened


async def test_the_page_is_there_at_all_its_paths(site: Site) -> None:
    for path in ("/mail", "/mail/inbox/e1", "/console/queue", "/login", "/setup"):
        answer = await site.anyone.get(path, headers=AS_IT_IS)
        assert answer.status_code == 200, path
        assert answer.text == "<!doctype html><title>Postroad</title>"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
    root = await site.anyone.get("/")
    assert (root.status_code, root.headers["location"]) == (302, "/mail/")
    assert (await site.anyone.get("/elsewhere")).status_code == 404


async def test_the_page_runs_nothing_but_our_files(site: Site) -> None:
    answer = await site.anyone.get("/mail/")
    policy = dict(
        each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"


async def test_assets_are_kept_for_ever_and_come_compressed(site: Site) -> None:
    packed = await site.anyone.get("/assets/index-abc.js", headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["content-encoding"] == "gzip"  # there is no .br of this one
    assert packed.content == SCRIPT
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert packed.headers["vary"] == "Accept-Encoding"
    for given in ("", "identity", "br", "gzip;q=0"):
        plain = await site.anyone.get("/assets/index-abc.js", headers={"Accept-Encoding": given})
        assert "content-encoding" not in plain.headers, given
        assert plain.content == SCRIPT
        assert plain.headers["etag"] != packed.headers["etag"]


async def test_what_a_browser_has_is_not_sent_again(site: Site) -> None:
    first = await site.anyone.get("/sw.js", headers=AS_IT_IS)
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = await site.anyone.get(
        "/sw.js", headers={**AS_IT_IS, "If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_nothing_else_is_served(site: Site) -> None:
    for path in ("/assets/none.js", "/assets/..%2Findex.html", "/assets/index-abc.js.gz"):
        answer = await site.anyone.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_checkout_without_the_app_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "BUNDLE", tmp_path / "nothing")
    async with running(tmp_path / "data") as site:
        answer = await site.anyone.get("/mail/")
        assert answer.status_code == 503
        assert "make webapp" in answer.text
