"""``/api/v1/webhooks``, by the port of a running server, with a receiver that is a real HTTPS server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from structlog.testing import capture_logs

from postroad.lab.ca import Authority
from postroad.model import ApiScope
from postroad.runtime.compose import System
from tests.fake_dns import FakeDns
from tests.unit.web.site import ALL, Site, config_of, running
from tests.webhook_receiver import HOST, Receiver, until

URL = "/api/v1/webhooks"
MESSAGE = {"from": "ann@here.test", "to": "bob@here.test", "text": "Hi"}


@asynccontextmanager
async def with_receiver(directory: Path, **webhooks: Any) -> AsyncIterator[tuple[Site, Receiver]]:
    """Run a system that finds a receiver and believes its certificate."""
    authority = Authority(directory / "ca")
    receiver = Receiver(authority, "127.0.0.1")
    await receiver.start()
    try:
        settings = {"poll_seconds": 0.05, "probe_seconds": 0.05, "allow_private": True, **webhooks}
        async with running(
            directory / "site",
            records={HOST: {"A": ["127.0.0.1"]}},
            tls={"ca_file": authority.root_file},
            webhooks=settings,
        ) as site:
            yield site, receiver
    finally:
        await receiver.stop()


async def test_add_test_rotate_and_remove(tmp_path: Path) -> None:
    async with with_receiver(tmp_path) as (site, receiver):
        client = site.client
        asked = {
            "name": "shop",
            "url": receiver.url,
            "events": ["accepted", "delivered"],
            "streams": ["default"],
            "domains": ["HERE.test"],
        }
        made = await client.post(URL, json=asked)
        assert made.status_code == 201, made.text
        receiver.secret = made.json()["secret"]
        assert made.json() == {"name": "shop", "secret": receiver.secret}
        shown = (await client.get(f"{URL}/shop")).json()
        assert shown.pop("created_at").endswith("Z")
        assert shown == {
            **asked,
            "domains": ["here.test"],
            "old_secret_until": None,
            "waiting": 0,
            "dead": 0,
        }
        tried = await client.post(f"{URL}/shop/test")
        assert (tried.status_code, tried.json()) == (200, {"taken": True, "failure": ""})
        assert receiver.kinds == ["test"]
        sent = await client.post("/api/v1/messages", json=MESSAGE)
        await until(lambda: len(receiver.got) >= 3)
        assert receiver.kinds == ["test", "accepted", "delivered"]
        assert receiver.got[1]["data"]["message"] == sent.json()["id"]
        new = await client.post(f"{URL}/shop/rotate", json={"overlap_seconds": 0})
        assert new.json()["secret"] != receiver.secret
        receiver.secret = new.json()["secret"]
        assert (await client.post(f"{URL}/shop/test")).json()["taken"] is True
        receiver.answer = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
        tried = await client.post(f"{URL}/shop/test")
        assert tried.json() == {"taken": False, "failure": "HTTP status 500"}
        assert (await client.post(URL, json=asked)).status_code == 409
        listed = (await client.get(URL)).json()["webhooks"]
        assert [each["name"] for each in listed] == ["shop"]
        assert (await client.delete(f"{URL}/shop")).status_code == 204
        assert (await client.get(URL)).json() == {"webhooks": []}


async def test_what_was_given_up_is_listed_and_sent_again(tmp_path: Path) -> None:
    async with with_receiver(tmp_path, give_up_seconds=1) as (site, receiver):
        client = site.client
        receiver.answer = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
        asked = {"name": "shop", "url": receiver.url, "events": ["delivered"]}
        receiver.secret = (await client.post(URL, json=asked)).json()["secret"]
        await client.post("/api/v1/messages", json=MESSAGE)
        async with asyncio.timeout(20):
            while not (dead := (await client.get(f"{URL}/shop/dead")).json()["dead"]):
                await asyncio.sleep(0.1)
        assert [(each["type"], each["failure"]) for each in dead] == [
            ("delivered", "HTTP status 500")
        ]
        assert dead[0]["tries"] >= 2
        assert '"bob@here.test"' in dead[0]["body"]
        assert (await client.get(f"{URL}/shop")).json()["dead"] == 1
        other = await client.post(f"{URL}/shop/replay", json={"events": ["evt_1_99"]})
        assert other.status_code == 422
        receiver.answer = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
        again = await client.post(f"{URL}/shop/replay", json={"events": [dead[0]["event"]]})
        assert again.json() == {"replayed": 1}
        await until(lambda: receiver.got)
        assert receiver.got[0]["id"] == dead[0]["event"]
        assert (await client.post(f"{URL}/shop/replay", json={})).json() == {"replayed": 0}
        assert (await client.get(f"{URL}/shop/dead")).json() == {"dead": []}


async def test_private_addresses_are_refused_by_default(tmp_path: Path) -> None:
    async with with_receiver(tmp_path, allow_private=False) as (site, receiver):
        for name, url in (("one", receiver.url), ("two", "https://169.254.169.254/latest/")):
            assert (await site.client.post(URL, json={"name": name, "url": url})).is_success
            tried = (await site.client.post(f"{URL}/{name}/test")).json()
            assert tried["taken"] is False
            assert "refused" in tried["failure"]
        assert receiver.asked == 0


async def test_what_will_not_do_changes_nothing(tmp_path: Path) -> None:
    good = {"name": "shop", "url": "https://hook.test/"}
    async with running(tmp_path) as site:
        for change, status in (
            ({"url": "http://hook.test/"}, 422),
            ({"url": "https://a:b@hook.test/"}, 422),
            ({"url": "https://hook.test/\r\nX: 1"}, 422),
            ({"url": "https://hook.test/" + "a" * 3000}, 400),
            ({"name": ""}, 400),
            ({"name": " "}, 422),
            ({"name": "a/b"}, 422),
            ({"name": "a\r\nb"}, 422),
            ({"name": "n" * 65}, 400),
            ({"events": ["nothing"]}, 400),
            ({"streams": ["nothing"]}, 400),
            ({"domains": ["a..b"]}, 400),
            ({"secret": "mine"}, 400),
        ):
            answer = await site.client.post(URL, json={**good, **change})
            assert answer.status_code == status, (change, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
        bad = await site.client.post(URL, json={**good, "domains": ["here.test", "a..b"]})
        assert bad.json()["errors"][0]["field"] == "domains[1]"
        assert (await site.client.get(URL)).json() == {"webhooks": []}
        await site.client.post(URL, json=good)
        for seconds in (-1, 1e9, "x"):
            body = {"overlap_seconds": seconds}
            answer = await site.client.post(f"{URL}/shop/rotate", json=body)
            assert answer.status_code == 400, answer.text
        for limit in (0, 1001, "x"):
            assert (await site.client.get(f"{URL}/shop/dead?limit={limit}")).status_code == 400
        for method, path, given in (
            ("GET", "", None),
            ("DELETE", "", None),
            ("GET", "/dead", None),
            ("POST", "/test", None),
            ("POST", "/rotate", {}),
            ("POST", "/replay", {}),
        ):
            answer = await site.client.request(method, f"{URL}/none{path}", json=given)
            assert answer.status_code == 404, (method, path, answer.text)


async def test_only_keys_for_settings_and_of_their_domains(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        for name, domains in (
            ("all", []),
            ("here", ["here.test"]),
            ("two", ["here.test", "x.test"]),
        ):
            body = {"name": name, "url": "https://hook.test/", "domains": domains}
            assert (await site.client.post(URL, json=body)).status_code == 201
        ask = site.anyone.request
        assert (await ask("GET", URL)).status_code == 401
        others = await site.key(ApiScope.SEND, ApiScope.READ, ApiScope.MANAGE)
        for method, path in (
            ("GET", ""),
            ("GET", "/all"),
            ("POST", "/all/test"),
            ("DELETE", "/all"),
        ):
            assert (await ask(method, URL + path, headers=others)).status_code == 403
        bound = await site.key(ApiScope.SETTINGS, domains=("here.test",))
        listed = (await ask("GET", URL, headers=bound)).json()["webhooks"]
        assert [each["name"] for each in listed] == ["here"]
        for name in ("all", "two"):
            for method, path, more in (
                ("GET", "", None),
                ("DELETE", "", None),
                ("GET", "/dead", None),
                ("POST", "/test", None),
                ("POST", "/rotate", {}),
                ("POST", "/replay", {}),
            ):
                answer = await ask(method, f"{URL}/{name}{path}", json=more, headers=bound)
                assert answer.status_code == 404, (name, method, path)
        for given, status in (([], 400), (["x.test"], 403), (["here.test", "x.test"], 403)):
            body = {"name": "new", "url": "https://hook.test/", "domains": given}
            answer = await ask("POST", URL, json=body, headers=bound)
            assert answer.status_code == status, answer.text
        body = {"name": "new", "url": "https://hook.test/", "domains": ["here.test"]}
        assert (await ask("POST", URL, json=body, headers=bound)).status_code == 201
        assert (await ask("DELETE", f"{URL}/new", headers=bound)).status_code == 204
        assert len((await site.client.get(URL)).json()["webhooks"]) == 3


async def test_streams_of_a_configuration_that_waits_for_a_restart(tmp_path: Path) -> None:
    """Whoever asks is told the same: the stream is not there yet, and each reload says why."""
    told = config_of(tmp_path, streams={"fresh": {"senders": ["bob@here.test"]}})
    hook = {"name": "shop", "url": "https://app.test/", "streams": ["fresh"]}
    message = {"from": "bob@here.test", "to": "ann@here.test", "text": "x"}
    async with running(tmp_path) as site:
        for _ in range(2):
            with capture_logs() as logs:
                await site.system.reload(told)
            assert ["streams"] in [each.get("settings") for each in logs]
            asked = await site.client.post("/api/v1/webhooks", json=hook)
            assert asked.json()["errors"][0]["field"] == "streams[0]"
            asked = await site.client.post("/api/v1/messages", json=message | {"stream": "fresh"})
            assert asked.json()["errors"][0]["field"] == "stream"
        number = (await site.client.post("/api/v1/messages", json=message)).json()["id"]
        assert (await site.client.get(f"/api/v1/messages/{number}")).json()["stream"] == "default"
    async with System.open(told, resolver=FakeDns({})) as system:
        await system.start()
        host, port = system.listening["http"][0]
        headers = {"Authorization": f"Bearer {await system.office.api_keys.add('again', ALL)}"}
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=headers) as client:
            asked = await client.post("/api/v1/webhooks", json=hook)
            assert asked.status_code == 201, asked.text
            number = (await client.post("/api/v1/messages", json=message)).json()["id"]
            found = (await client.get(f"/api/v1/messages/{number}")).json()
            assert found["stream"] == "fresh"
