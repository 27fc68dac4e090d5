"""Finding messages, by the port."""

from pathlib import Path
from typing import Any

from postroad.model import ApiScope
from postroad.web.api.moment import rfc3339
from tests.unit.web.site import Site, running


async def send(site: Site, **more: Any) -> str:
    asked = {"from": "ann@here.test", "to": "bob@here.test", "text": "x"} | more
    response = await site.client.post("/api/v1/messages", json=asked)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


async def found(site: Site, **query: Any) -> list[str]:
    response = await site.client.get("/api/v1/messages", params=query)
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()["messages"]]


async def test_by_each_of_what_is_known(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        one = await send(site, subject="Your order", tags=["order"], metadata={"customer": "17"})
        later = rfc3339(site.system.office.clock.now() + 1000)
        two = await send(
            site, to="bob@far.test", send_at=later, subject="Order shipped", tags=["order", "b"]
        )
        assert await found(site) == [two, one]
        assert await found(site, recipient="Bob@here.test") == [one]
        assert await found(site, subject="ORDER") == [two, one]
        assert await found(site, subject="order shipped") == [two]
        assert await found(site, tag="order", metadata="customer=17") == [one]
        assert await found(site, tag=["order", "b"]) == [two]
        assert await found(site, status="delivered") == [one]
        at = (await site.client.get(f"/api/v1/messages/{two}")).json()["accepted_at"]
        assert await found(site, after=at) == [two]
        assert await found(site, before=at) == [one]
        assert await found(site, after="2100-01-01T00:00:00Z", before="2000-01-01T00:00:00Z") == []


async def test_page_by_page(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        sent = [await send(site, tags=["t"]) for _ in range(5)]
        pages: list[list[str]] = []
        cursor: dict[str, str] = {}
        while True:
            response = await site.client.get(
                "/api/v1/messages", params={"tag": "t", "limit": "2"} | cursor
            )
            page = response.json()
            pages.append([each["id"] for each in page["messages"]])
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert [len(page) for page in pages] == [2, 2, 1]
        assert [each for page in pages for each in page] == sent[::-1]


async def test_a_message_with_its_journey(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        number = await send(site, subject="Hi", metadata={"a": "b"})
        shown = (await site.client.get(f"/api/v1/messages/{number.lower()}")).json()
        assert (shown["id"], shown["subject"], shown["metadata"]) == (number, "Hi", {"a": "b"})
        assert shown["journey"][0]["what"] == "accepted"
        assert "delivered" in [each["what"] for each in shown["journey"]]
        assert shown["deliveries"][0]["state"] == "delivered"
        for unknown in ("38GKF2Z8WV15K", "x", "Z" * 13, "%00"):
            response = await site.client.get(f"/api/v1/messages/{unknown}")
            assert response.status_code == 404


async def test_a_key_sees_mail_of_its_domains(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        await site.system.domains.add("other.test")
        one = await send(site)
        two = await send(site, **{"from": "x@other.test"})
        only = await site.key(ApiScope.READ, domains=("other.test",))
        response = await site.anyone.get("/api/v1/messages", headers=only)
        assert [each["id"] for each in response.json()["messages"]] == [two]
        assert (await site.anyone.get(f"/api/v1/messages/{one}", headers=only)).status_code == 404
        assert (await site.anyone.get(f"/api/v1/messages/{two}", headers=only)).status_code == 200
        assert (await site.anyone.get("/api/v1/messages")).status_code == 401


async def test_questions_that_are_none(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        for query in (
            {"limit": "0"},
            {"limit": "x"},
            {"recipient": "no one"},
            {"metadata": "x"},
            {"status": "lost"},
            {"after": "today"},
            {"after": "2026-11-25T15:00:00"},
            {"cursor": "x"},
            {"cursor": "ff" * 8},
            {"subject": " ".join(map(str, range(40)))},
        ):
            response = await site.client.get("/api/v1/messages", params=query)
            assert response.status_code == 400, query
            assert response.json()["title"] == "Bad Request"
