"""Cancel, hold, release, retry, reschedule, by the port."""

from pathlib import Path
from typing import Any

from postroad.model import ApiScope
from postroad.web.api.moment import rfc3339
from tests.unit.web.site import running


async def test_what_waits_is_steered(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        now = site.system.office.clock.now()
        asked = {
            "from": "ann@here.test",
            "to": ["bob@far.test", "eve@far.test"],
            "text": "x",
            "send_at": rfc3339(now + 1000),
        }
        number = (await site.client.post("/api/v1/messages", json=asked)).json()["id"]

        async def steer(what: str, body: Any = None, status: int = 200) -> Any:
            response = await site.client.post(f"/api/v1/messages/{number}/{what}", json=body)
            assert response.status_code == status, response.text
            return response.json()

        held = await steer("hold")
        assert held["changed"] == 2
        assert {each["state"] for each in held["message"]["deliveries"]} == {"held"}
        later = rfc3339(now + 2000)
        moved = await steer("reschedule", {"send_at": later})
        assert {each["due_at"] for each in moved["message"]["deliveries"]} == {later}
        await steer("hold")
        assert (await steer("release", status=200))["changed"] == 2
        await steer("reschedule", {"send_at": "2100-01-01T00:00:00Z"}, 400)
        await steer("reschedule", {"send_at": "2001-01-01T00:00:00Z"}, 400)
        lacking = await steer("reschedule", {}, 400)
        assert [each["field"] for each in lacking["errors"]] == ["send_at"]
        await steer("reschedule", {"send_at": rfc3339(now + 3000)}, 200)
        assert (await steer("cancel"))["changed"] == 2
        assert (await steer("cancel", status=409))["type"] == "urn:postroad:problem:too-late"
        await steer("retry", status=409)
        shown = (await site.client.get(f"/api/v1/messages/{number}")).json()
        told = [each["what"] for each in shown["journey"]]
        assert [each for each in told if each not in ("accepted", "split")] == [
            "scheduled",
            "held",
            "rescheduled",
            "held",
            "retried",
            "rescheduled",
            "dropped",
        ]
        assert "by key 'all' (API)" in shown["journey"][-1]["text"]
        read = await site.key(ApiScope.READ)
        other = await site.anyone.post(f"/api/v1/messages/{number}/cancel", headers=read)
        assert other.status_code == 403
        assert (await site.client.post("/api/v1/messages/x/cancel")).status_code == 404
