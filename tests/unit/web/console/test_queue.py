"""The queue in the console: pages and filters, why, and changes of many."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.model import DeliveryState
from postroad.ports import QueueFilter
from postroad.service import bulk
from postroad.service.desk import Keys, QueueDesk
from tests.unit.web.console.operator import BASE, Desk, at_the_desk

RECORDS = {"slow.test": {"MX": ["!"]}}
PEOPLE = 23
_HELD = DeliveryState.HELD


async def fill(desk: Desk) -> str:
    """Send to people whose name servers do not answer; return the message's id."""
    letter: dict[str, Any] = {"from": "ann@here.test", "text": "Hi"}
    letter["to"] = ["bob@here.test", *[f"p{n}@slow.test" for n in range(PEOPLE)]]
    answer = await desk.site.client.post("/api/v1/messages", json=letter)
    assert answer.status_code == 202, answer.text
    system = desk.site.system
    while await system.desk.count(QueueFilter(destination="slow.test")) > sum(
        item.delivery.attempts for item in await system.desk.list(QueueFilter(limit=1000))
    ):
        await system.office.clock.sleep(0.02)
    return str(answer.json()["id"])


async def job(desk: Desk, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await desk.browser.post(BASE + "/queue/jobs", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [msgspec.json.decode(line) for line in answer.text.splitlines()]


async def test_looking_and_changing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "STEP", 5)
    async with at_the_desk(tmp_path, records=RECORDS) as desk:
        id_ = await fill(desk)
        first = await desk.get("/queue", limit=20)
        assert first["counts"] == {"due": PEOPLE, "leased": 0, "held": 0}
        assert first["fitting"] == PEOPLE
        assert len(first["deliveries"]) == 20
        row = first["deliveries"][0]
        assert (row["id"], row["sender"], row["destination"]) == (id_, "ann@here.test", "slow.test")
        assert "no answer within 15 s" in row["last"]
        second = await desk.get("/queue", limit=20, after=first["next"])
        assert second["next"] is None
        assert len({each["key"] for each in first["deliveries"] + second["deliveries"]}) == PEOPLE
        found = await desk.get("/queue", recipient="P7@slow.test", states="due")
        assert [each["recipient"] for each in found["deliveries"]] == ["p7@slow.test"]
        assert (await desk.get("/queue", sender="@far.test"))["fitting"] == 0
        told = await desk.get(f"/queue/{id_}/why")
        assert told["why"][0]["why"].startswith("It was delivered")
        assert "because the DNS does not help" in told["why"][1]["why"]

        steps = await job(desk, {"action": "hold", "filter": {"destination": "slow.test"}})
        assert steps[0] == {"total": PEOPLE, "done": 0, "changed": 0, "finished": False}
        assert [each["done"] for each in steps] == [0, 5, 10, 15, 20, 23, 23]
        assert steps[-1] == {"total": PEOPLE, "done": 23, "changed": 23, "finished": True}
        held = (await desk.get("/queue", states="held", limit=1))["deliveries"][0]
        assert held["held"] == "by olga@here.test"
        journey = await desk.get(f"/journeys/{id_}")
        assert any("by olga@here.test" in line["text"] for line in journey["journey"])

        wanted = {"action": "release", "keys": [row["key"], f"{id_}/0"]}
        assert (await job(desk, wanted))[-1]["changed"] == 1
        assert (await job(desk, {"action": "drop", "filter": {"states": ["held"]}}))[-1][
            "changed"
        ] == PEOPLE - 1


async def test_who_goes_stops_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "STEP", 1)
    hold = QueueDesk.hold

    async def slowly(self: QueueDesk, keys: Keys, by: str) -> int:
        await asyncio.sleep(0.05)
        return await hold(self, keys, by)

    async with at_the_desk(tmp_path, records=RECORDS) as desk:
        await fill(desk)
        monkeypatch.setattr(QueueDesk, "hold", slowly)
        system = desk.site.system
        body = {"action": "hold", "filter": {}}
        async with desk.browser.stream("POST", BASE + "/queue/jobs", json=body) as answer:
            async for line in answer.aiter_lines():
                if msgspec.json.decode(line)["done"]:
                    break
        before = -1
        while (held := (await system.desk.counts())[_HELD]) != before:
            before = held
            await system.office.clock.sleep(0.1)
        assert 1 <= held < PEOPLE


async def test_what_will_not_do(tmp_path: Path) -> None:
    async with at_the_desk(tmp_path) as desk:
        for body in (
            {"action": "hold"},
            {"action": "hold", "keys": ["x"]},
            {"action": "hold", "keys": ["38GM35C8EEWXK/-1"]},
            {"action": "fly", "filter": {}},
            {"action": "hold", "filter": {"states": ["odd"]}},
            {"action": "hold", "keys": ["38GM35C8EEWXK/0"] * 1001},
        ):
            await desk.send("POST", "/queue/jobs", body, status=400)
        await desk.send("GET", "/queue/nonsense/why", status=404)
        await desk.send("GET", "/queue/38GM35C8EEWXK/why", status=422)
        await desk.send("GET", "/queue?limit=501", status=400)
        steps = await job(desk, {"action": "hold", "keys": ["38GM35C8EEWXK/0"]})
        assert steps[-1]["changed"] == 0
