"""``/api/v1/suppressions``, by a real server and a real client."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from postroad.model import ApiScope
from tests.unit.web.site import Site, running

PATH = "/api/v1/suppressions"
STREAMS = {
    "news": {"senders": ["news@here.test"], "suppression": True},
    "other": {"senders": ["@other.test"], "suppression": True},
    "plain": {"senders": ["plain@here.test"]},
}
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path, streams=STREAMS) as site:
        yield site


async def add(site: Site, *addresses: str, stream: str = "news", **more: str) -> httpx.Response:
    return await site.client.post(
        PATH, json={"stream": stream, "addresses": list(addresses), **more}
    )


async def test_add_list_reactivate(site: Site) -> None:
    answer = await add(site, "jo@there.test", "Ann@there.test", evidence="asked\nby phone")
    assert (answer.status_code, answer.json()) == (200, {"added": 2})
    assert (await add(site, "jo@there.test")).json() == {"added": 0}
    listed = (await site.client.get(PATH)).json()
    assert listed["next"] is None
    first = listed["suppressions"][0]
    assert (first["address"], first["stream"], first["reason"], first["evidence"]) == (
        "Ann@there.test",
        "news",
        "manual",
        "asked by phone",
    )
    gone = await site.client.delete(f"{PATH}/news/jo@there.test")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await site.client.delete(f"{PATH}/news/jo@there.test")).status_code == 404
    (left,) = (await site.client.get(PATH, params={"address": "@there.test"})).json()[
        "suppressions"
    ]
    assert left["address"] == "Ann@there.test"
    assert (await site.client.get(PATH, params={"stream": "other"})).json()["suppressions"] == []


async def test_pages(site: Site) -> None:
    await add(site, *(f"a{n:03}@there.test" for n in range(25)))
    await add(site, "z@there.test", stream="other")
    found: list[str] = []
    after = None
    for _ in range(3):
        params = {"limit": 10, **({"after": after} if after else {})}
        page = (await site.client.get(PATH, params=params)).json()
        found += [each["address"] for each in page["suppressions"]]
        after = page["next"]
    assert after is None
    assert found == [*(f"a{n:03}@there.test" for n in range(25)), "z@there.test"]


async def test_tables(site: Site) -> None:
    table = "address,stream,reason\njo@there.test,news,unsubscribe\nann@there.test,other,\n"
    dry = await site.client.post(
        f"{PATH}/table", params={"dry_run": "true"}, content=table, headers=CSV
    )
    assert dry.json() == {"lines": 2, "added": 2, "dry_run": True}
    assert (await site.client.get(PATH)).json()["suppressions"] == []
    done = await site.client.post(f"{PATH}/table", content=table, headers=CSV)
    assert done.json() == {"lines": 2, "added": 2, "dry_run": False}
    written = await site.client.get(f"{PATH}/table", params={"stream": "news"})
    assert written.headers["Content-Type"].startswith("text/csv")
    assert written.text.splitlines()[1].startswith("jo@there.test,news,unsubscribe,,")
    again = await site.client.post(f"{PATH}/table", content=written.content, headers=CSV)
    assert again.json() == {"lines": 1, "added": 0, "dry_run": False}


async def test_a_wish_is_not_undone_by_mistake(site: Site) -> None:
    table = "address,stream,reason\njo@there.test,news,complaint\n"
    await site.client.post(f"{PATH}/table", content=table, headers=CSV)
    refused = await site.client.delete(f"{PATH}/news/jo@there.test")
    assert refused.status_code == 422
    assert "by its owner's wish (complaint)" in refused.json()["detail"]
    forced = await site.client.delete(f"{PATH}/news/jo@there.test", params={"force": "true"})
    assert forced.status_code == 204


async def test_a_large_table(site: Site) -> None:
    rows = "".join(f"somebody{n}@there.test,news\n" for n in range(20_000))
    answer = await site.client.post(f"{PATH}/table", content="address,stream\n" + rows, headers=CSV)
    assert answer.json() == {"lines": 20_000, "added": 20_000, "dry_run": False}
    assert (await site.client.get(f"{PATH}/table")).text.count("\r\n") == 20_001


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"stream": "news", "addresses": ["jo@there.test", "nobody"]}, 400, "addresses[1]"),
        ({"stream": "news", "addresses": ["jo@there.test\r\nx"]}, 400, "addresses[0]"),
        ({"stream": "news", "addresses": []}, 400, "addresses"),
        ({"stream": "news", "addresses": ["a@b.test"] * 1_001}, 400, "addresses"),
        ({"stream": "news"}, 400, "addresses"),
        ({"stream": "bulk", "addresses": ["a@b.test"]}, 422, "no suppression list"),
        ({"stream": "plain", "addresses": ["a@b.test"]}, 422, "no suppression list"),
        ({"stream": "news", "addresses": ["a@b.test"], "x": 1}, 400, "x"),
        ({"stream": "news", "addresses": ["a@b.test"], "evidence": "x" * 501}, 400, "evidence"),
        ([], 400, ""),
    ],
)
async def test_what_is_wrong_is_said(site: Site, body: object, status: int, words: str) -> None:
    answer = await site.client.post(PATH, json=body)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert words in answer.text
    assert (await site.client.get(PATH)).json()["suppressions"] == []


async def test_wrong_questions(site: Site) -> None:
    for params in (
        {"limit": "0"},
        {"limit": "x"},
        {"address": "nobody"},
        {"address": "@"},
        {"stream": "x" * 33},
    ):
        assert (await site.client.get(PATH, params=params)).status_code == 400
    assert (await site.client.get(PATH, params={"stream": "bulk"})).status_code == 422
    assert (await site.client.get(f"{PATH}/table", params={"stream": "bulk"})).status_code == 422
    assert (await site.client.delete(f"{PATH}/news/nobody")).status_code == 400
    wrong = await site.client.post(
        f"{PATH}/table", content="address,stream\njo@there.test,news\nnobody,news\n", headers=CSV
    )
    assert wrong.status_code == 422
    assert "line 3: address has no @" in wrong.json()["detail"]
    assert (await site.client.post(f"{PATH}/table", json={})).status_code == 415
    assert (await site.client.get(PATH)).json()["suppressions"] == []


async def test_keys(site: Site) -> None:
    assert (await site.anyone.get(PATH)).status_code == 401
    send = await site.key(ApiScope.SEND)
    assert (await site.anyone.get(PATH, headers=send)).status_code == 403
    read = await site.key(ApiScope.READ)
    body = {"stream": "news", "addresses": ["a@b.test"]}
    assert (await site.anyone.get(PATH, headers=read)).status_code == 200
    assert (await site.anyone.post(PATH, headers=read, json=body)).status_code == 403
    # A key of a domain has to do with the streams of that domain alone.
    own = await site.key(ApiScope.READ, ApiScope.SETTINGS, domains=("here.test",))
    assert (await site.anyone.post(PATH, headers=own, json=body)).status_code == 200
    assert (await site.anyone.get(PATH, headers=own)).status_code == 400
    news = {"stream": "news"}
    assert (await site.anyone.get(PATH, headers=own, params=news)).status_code == 200
    other = {"stream": "other"}
    assert (await site.anyone.get(PATH, headers=own, params=other)).status_code == 403
    assert (await site.anyone.get(f"{PATH}/table", headers=own, params=other)).status_code == 403
    assert (await site.anyone.post(PATH, headers=own, json={**body, **other})).status_code == 403
    assert (await site.anyone.delete(f"{PATH}/other/a@b.test", headers=own)).status_code == 403
    table = await site.anyone.post(f"{PATH}/table", headers={**own, **CSV}, content="x")
    assert table.status_code == 403


async def test_an_answer_in_pieces_ends_well(site: Site) -> None:
    await add(site, *(f"a{n:03}@there.test" for n in range(500)))
    with capture_logs() as logs:
        async with httpx.AsyncClient(base_url=site.url, headers=site.client.headers) as once:
            answer = await once.get(f"{PATH}/table", headers={"Connection": "close"})
        assert answer.text.count("\r\n") == 501
        assert (await site.client.get(f"{PATH}/table")).text == answer.text
    assert [each for each in logs if each["log_level"] == "error"] == []
